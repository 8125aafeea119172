builtin.module {
  "agent.graph"() ({
    "agent.router"() {sym_name = "ask"} : () -> ()
    "agent.tool_call"() {sym_name = "a", latency = #agent.dist<"point", [1.000000e+00 : f64], 0.000000e+00 : f64>, cpus = 0.000000e+00 : f64, memory_mean_bytes = 0.000000e+00 : f64, memory_peak_bytes = 0.000000e+00 : f64, usd_per_call = 0.000000e+00 : f64, failure = 0.000000e+00 : f64, call = "search", deterministic} : () -> ()
    "agent.llm_call"() {sym_name = "x", model = "llama-3.1-8b", prompt_tokens = #agent.dist<"point", [1.000000e+02 : f64], 0.000000e+00 : f64>, output_tokens = #agent.dist<"point", [1.000000e+01 : f64], 0.000000e+00 : f64>, prompt_growth = 0.000000e+00 : f64, cached_prefix_tokens = 0.000000e+00 : f64, temperature = 0.000000e+00 : f64, call = "sum up", place = {with = "y"}} : () -> ()
    "agent.llm_call"() {sym_name = "y", model = "llama-3.1-8b", prompt_tokens = #agent.dist<"point", [1.000000e+02 : f64], 0.000000e+00 : f64>, output_tokens = #agent.dist<"point", [1.000000e+01 : f64], 0.000000e+00 : f64>, prompt_growth = 0.000000e+00 : f64, cached_prefix_tokens = 0.000000e+00 : f64, temperature = 0.000000e+00 : f64, call = "sum up more"} : () -> ()
    "agent.store"() {sym_name = "end", bytes = 1.000000e+03 : f64, place = {apart = "a"}} : () -> ()
    "agent.edge"() {from = @ask, to = @a, bytes = 0.000000e+00 : f64} : () -> ()
    "agent.edge"() {from = @a, to = @x, bytes = 0.000000e+00 : f64} : () -> ()
    "agent.edge"() {from = @a, to = @y, bytes = 0.000000e+00 : f64} : () -> ()
    "agent.edge"() {from = @x, to = @end, bytes = 0.000000e+00 : f64} : () -> ()
    "agent.edge"() {from = @y, to = @end, bytes = 0.000000e+00 : f64} : () -> ()
  }) {sym_name = "workflow", objective = "cost", workload = {arrivals_cv = 1.000000e+00 : f64}, slo = {}} : () -> ()
}
