builtin.module {
  "agent.graph"() ({
    "llm.prefill"() {sym_name = "think.prefill", model = "llama-3.1-8b", prompt_tokens = #agent.dist<"point", [1.000000e+03 : f64], 0.000000e+00 : f64>, prompt_growth = 0.000000e+00 : f64, cached_prefix_tokens = 0.000000e+00 : f64, node = "think"} : () -> ()
    "llm.decode"() {sym_name = "think.decode", model = "llama-3.1-8b", prompt_tokens = #agent.dist<"point", [1.000000e+03 : f64], 0.000000e+00 : f64>, output_tokens = #agent.dist<"point", [5.000000e+02 : f64], 0.000000e+00 : f64>, prompt_growth = 0.000000e+00 : f64, node = "think"} : () -> ()
    "agent.edge"() {from = @think.prefill, to = @think.decode, bytes = 0.000000e+00 : f64} : () -> ()
    "llm.kv_transfer"() {from = @think.prefill, to = @think.decode, bytes_per_prompt_token = 0.000000e+00 : f64} : () -> ()
  }) {sym_name = "table-3", objective = "cost", workload = {arrivals_cv = 1.000000e+00 : f64}, slo = {end_to_end_s = 1.200000e-01 : f64}, profile = {HP = {prefill = {latency_s = 8.000000e-02 : f64, usd_per_token = 8.000000e-05 : f64}, decode = {latency_s = 2.500000e-02 : f64, usd_per_token = 6.000000e-05 : f64}}, CO = {prefill = {latency_s = 1.300000e-01 : f64, usd_per_token = 5.000000e-05 : f64}, decode = {latency_s = 3.000000e-02 : f64, usd_per_token = 2.000000e-05 : f64}}}, kv_transfer = [{from = "HP", to = "CO", latency_s = 1.000000e-02 : f64, usd_per_prompt_token = 5.000000e-06 : f64}]} : () -> ()
  "plan.plan"() ({
    "plan.piece"() {sym_name = "think.decode", op = @think.decode, node = "think", part = "decode"} : () -> ()
    "plan.piece"() {sym_name = "think.prefill", op = @think.prefill, node = "think", part = "prefill"} : () -> ()
  }) {sym_name = "plan", graph = @"table-3"} : () -> ()
}
