builtin.module {
  "agent.graph"() ({
    "agent.router"() {sym_name = "hear"} : () -> ()
    "agent.llm_call"() {sym_name = "think@1", model = "llama-3.1-8b", prompt_tokens = #agent.dist<"point", [1.000000e+03 : f64], 0.000000e+00 : f64>, output_tokens = #agent.dist<"point", [1.000000e+01 : f64], 0.000000e+00 : f64>, prompt_growth = 0.000000e+00 : f64, cached_prefix_tokens = 5.000000e+01 : f64} : () -> ()
    "agent.llm_call"() {sym_name = "think@2", model = "llama-3.1-8b", prompt_tokens = #agent.dist<"point", [1.000000e+03 : f64], 3.000000e+02 : f64>, output_tokens = #agent.dist<"point", [1.000000e+01 : f64], 0.000000e+00 : f64>, prompt_growth = 0.000000e+00 : f64, cached_prefix_tokens = 1.000000e+03 : f64, place = {with = "think@1"}} : () -> ()
    "agent.llm_call"() {sym_name = "think@3", model = "llama-3.1-8b", prompt_tokens = #agent.dist<"point", [1.000000e+03 : f64], 6.000000e+02 : f64>, output_tokens = #agent.dist<"point", [1.000000e+01 : f64], 0.000000e+00 : f64>, prompt_growth = 0.000000e+00 : f64, cached_prefix_tokens = 1.300000e+03 : f64, place = {with = "think@1"}} : () -> ()
    "agent.tool_call"() {sym_name = "search@1", latency = #agent.dist<"point", [1.000000e+00 : f64], 0.000000e+00 : f64>, cpus = 0.000000e+00 : f64, memory_mean_bytes = 0.000000e+00 : f64, memory_peak_bytes = 0.000000e+00 : f64, usd_per_call = 0.000000e+00 : f64, failure = 0.000000e+00 : f64, place = {with = "think@1"}} : () -> ()
    "agent.tool_call"() {sym_name = "search@2", latency = #agent.dist<"point", [1.000000e+00 : f64], 0.000000e+00 : f64>, cpus = 0.000000e+00 : f64, memory_mean_bytes = 0.000000e+00 : f64, memory_peak_bytes = 0.000000e+00 : f64, usd_per_call = 0.000000e+00 : f64, failure = 0.000000e+00 : f64, place = {with = "search@1"}} : () -> ()
    "agent.store"() {sym_name = "say", bytes = 1.000000e+03 : f64, place = {apart = "search@1"}} : () -> ()
    "agent.edge"() {from = @hear, to = @"think@1", bytes = 0.000000e+00 : f64} : () -> ()
    "agent.edge"() {bytes = 3.000000e+03 : f64, probability = 4.000000e-01 : f64, from = @"think@1", to = @"search@1"} : () -> ()
    "agent.edge"() {bytes = 3.000000e+03 : f64, probability = 4.000000e-01 : f64, from = @"think@2", to = @"search@2"} : () -> ()
    "agent.edge"() {bytes = 0.000000e+00 : f64, from = @"search@1", to = @"think@2"} : () -> ()
    "agent.edge"() {bytes = 0.000000e+00 : f64, from = @"search@2", to = @"think@3"} : () -> ()
    "agent.edge"() {stream, bytes = 0.000000e+00 : f64, from = @"think@1", to = @say} : () -> ()
    "agent.edge"() {stream, bytes = 0.000000e+00 : f64, from = @"think@2", to = @say} : () -> ()
    "agent.edge"() {stream, bytes = 0.000000e+00 : f64, from = @"think@3", to = @say} : () -> ()
  }) {sym_name = "workflow", objective = "cost", workload = {arrivals_cv = 1.000000e+00 : f64}, slo = {}} : () -> ()
}
