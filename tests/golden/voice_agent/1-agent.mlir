builtin.module {
  "agent.graph"() ({
    "agent.model_call"() {sym_name = "hear", model = "whisper-large-v3", inputs = {audio_s = 1.000000e+01 : f64}} : () -> ()
    "agent.llm_call"() {sym_name = "think", model = "llama-3.1-70b", precision = "fp8", prompt_tokens = #agent.dist<"point", [1.000000e+03 : f64], 0.000000e+00 : f64>, output_tokens = #agent.dist<"point", [1.500000e+02 : f64], 0.000000e+00 : f64>, prompt_growth = 4.000000e+02 : f64, cached_prefix_tokens = 0.000000e+00 : f64} : () -> ()
    "agent.tool_call"() {sym_name = "search", latency = #agent.dist<"lognormal", [-1.6381811510066411 : f64, 0.9318887773556509 : f64], 0.000000e+00 : f64>, cpus = 5.000000e-01 : f64, memory_mean_bytes = 0x41A9000000000000 : f64, memory_peak_bytes = 0x41D0000000000000 : f64, usd_per_call = 2.000000e-03 : f64, failure = 0.000000e+00 : f64} : () -> ()
    "agent.model_call"() {sym_name = "say", model = "speecht5-tts", inputs = {characters = 1.000000e+02 : f64}} : () -> ()
    "agent.edge"() {from = @hear, to = @think, bytes = 0.000000e+00 : f64} : () -> ()
    "agent.edge"() {from = @think, to = @search, probability = 4.000000e-01 : f64, max_visits = 3 : i64, stream, bytes = 0.000000e+00 : f64} : () -> ()
    "agent.edge"() {from = @search, to = @think, bytes = 0.000000e+00 : f64} : () -> ()
    "agent.edge"() {from = @think, to = @say, stream, bytes = 0.000000e+00 : f64} : () -> ()
  }) {sym_name = "voice-agent", objective = "cost", workload = {arrivals_cv = 1.000000e+00 : f64, rate = 5.000000e+00 : f64}, slo = {ttft_s = 2.500000e-01 : f64, tbt_s = 2.500000e-02 : f64, end_to_end_s = 1.500000e+01 : f64, percentile = 9.500000e+01 : f64}} : () -> ()
}
