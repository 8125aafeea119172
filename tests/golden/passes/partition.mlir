  "plan.plan"() ({
    "plan.piece"() {sym_name = "hear.run", op = @hear, node = "hear", part = "run"} : () -> ()
    "plan.piece"() {sym_name = "say.run", op = @say, node = "say", part = "run"} : () -> ()
    "plan.piece"() {sym_name = "search.run", op = @search, node = "search", part = "run"} : () -> ()
    "plan.piece"() {sym_name = "think.decode", op = @think.decode, node = "think", part = "decode"} : () -> ()
    "plan.piece"() {sym_name = "think.prefill", op = @think.prefill, node = "think", part = "prefill"} : () -> ()
  }) {sym_name = "plan", graph = @"voice-agent"} : () -> ()
}
