builtin.module {
  "agent.graph"() ({
    "agent.model_call"() {sym_name = "hear", model = "whisper-large-v3", inputs = {audio_s = 1.000000e+01 : f64}} : () -> ()
    "llm.prefill"() {sym_name = "think.prefill", model = "llama-3.1-8b", precision = "fp8", prompt_tokens = #agent.dist<"point", [1.000000e+03 : f64], 0.000000e+00 : f64>, prompt_growth = 4.000000e+02 : f64, cached_prefix_tokens = 1.000000e+02 : f64, tp = 2 : i64, slo = {ttft_s = 2.500000e-01 : f64}, place = {on = ["h100"]}, priority = 3 : i64, node = "think"} : () -> ()
    "llm.decode"() {sym_name = "think.decode", model = "llama-3.1-8b", precision = "fp8", prompt_tokens = #agent.dist<"point", [1.000000e+03 : f64], 0.000000e+00 : f64>, output_tokens = #agent.dist<"point", [5.000000e+02 : f64], 0.000000e+00 : f64>, prompt_growth = 4.000000e+02 : f64, tp = 2 : i64, slo = {ttft_s = 2.500000e-01 : f64}, place = {on = ["h100"]}, priority = 3 : i64, node = "think"} : () -> ()
    "agent.edge"() {from = @think.prefill, to = @think.decode, bytes = 0.000000e+00 : f64} : () -> ()
    "llm.kv_transfer"() {from = @think.prefill, to = @think.decode, bytes_per_prompt_token = 1.310720e+05 : f64} : () -> ()
    "agent.tool_call"() {sym_name = "search", latency = #agent.dist<"lognormal", [-1.500000e+00 : f64, 5.000000e-01 : f64], 0.000000e+00 : f64>, cpus = 5.000000e-01 : f64, memory_mean_bytes = 2.000000e+08 : f64, memory_peak_bytes = 1.000000e+09 : f64, usd_per_call = 2.000000e-03 : f64, concurrency = 20 : i64, failure = 0.000000e+00 : f64} : () -> ()
    "agent.model_call"() {sym_name = "say", graph = "tts.onnx", inputs = {characters = 3.000000e+02 : f64}} : () -> ()
    "agent.edge"() {from = @hear, to = @think.prefill, bytes = 3.200000e+05 : f64} : () -> ()
    "agent.edge"() {from = @think.decode, to = @search, probability = 4.000000e-01 : f64, max_visits = 3 : i64, bytes = 4.000000e+03 : f64} : () -> ()
    "agent.edge"() {from = @search, to = @think.prefill, bytes = 1.600000e+03 : f64} : () -> ()
    "agent.edge"() {from = @think.decode, to = @say, stream, bytes = 2.000000e+03 : f64} : () -> ()
  }) {sym_name = "voice-agent", objective = "cost", workload = {rate = 2.000000e+00 : f64, arrivals_cv = 1.000000e+00 : f64}, slo = {ttft_s = 2.500000e-01 : f64, percentile = 9.500000e+01 : f64}} : () -> ()
}
