irdl.dialect @agent {
  irdl.attribute @dist {
    %0 = irdl.base "#builtin.string"
    %1 = irdl.base "#builtin.array"
    %2 = irdl.base "#builtin.float"
    irdl.parameters(kind: %0, params: %1, shift: %2)
  }
  irdl.operation @graph {
    %0 = irdl.base "#builtin.string"
    %1 = irdl.base "#builtin.string"
    %2 = irdl.base "#builtin.dictionary"
    %3 = irdl.base "#builtin.dictionary"
    irdl.attributes {"sym_name" = %0, "objective" = %1, "workload" = %2, "slo" = %3}
    %4 = irdl.region with size 1
    irdl.regions(body: %4)
  }
  irdl.operation @llm_call {
    %0 = irdl.base "#builtin.string"
    %1 = irdl.base @agent::@dist
    %2 = irdl.base @agent::@dist
    %3 = irdl.base "#builtin.float"
    %4 = irdl.base "#builtin.float"
    %5 = irdl.base "#builtin.string"
    irdl.attributes {"model" = %0, "prompt_tokens" = %1, "output_tokens" = %2, "prompt_growth" = %3, "cached_prefix_tokens" = %4, "sym_name" = %5}
  }
  irdl.operation @model_call {
    %0 = irdl.base "#builtin.dictionary"
    %1 = irdl.base "#builtin.string"
    irdl.attributes {"inputs" = %0, "sym_name" = %1}
  }
  irdl.operation @tool_call {
    %0 = irdl.base @agent::@dist
    %1 = irdl.base "#builtin.float"
    %2 = irdl.base "#builtin.float"
    %3 = irdl.base "#builtin.float"
    %4 = irdl.base "#builtin.float"
    %5 = irdl.base "#builtin.float"
    %6 = irdl.base "#builtin.string"
    irdl.attributes {"latency" = %0, "cpus" = %1, "memory_mean_bytes" = %2, "memory_peak_bytes" = %3, "usd_per_call" = %4, "failure" = %5, "sym_name" = %6}
  }
  irdl.operation @lookup {
    %0 = irdl.base "#builtin.integer"
    %1 = irdl.base "#builtin.integer"
    %2 = irdl.base "#builtin.integer"
    %3 = irdl.base "#builtin.string"
    %4 = irdl.base "#builtin.string"
    irdl.attributes {"vectors" = %0, "dimensions" = %1, "top_k" = %2, "index" = %3, "sym_name" = %4}
  }
  irdl.operation @compute {
    %0 = irdl.base @agent::@dist
    %1 = irdl.base "#builtin.float"
    %2 = irdl.base "#builtin.float"
    %3 = irdl.base "#builtin.string"
    irdl.attributes {"cpu_s" = %0, "bytes_in" = %1, "bytes_out" = %2, "sym_name" = %3}
  }
  irdl.operation @store {
    %0 = irdl.base "#builtin.float"
    %1 = irdl.base "#builtin.string"
    irdl.attributes {"bytes" = %0, "sym_name" = %1}
  }
  irdl.operation @router {
    %0 = irdl.base "#builtin.string"
    irdl.attributes {"sym_name" = %0}
  }
  irdl.operation @cache {
    %0 = irdl.base "#builtin.float"
    %1 = irdl.base @agent::@dist
    %2 = irdl.base "#builtin.string"
    irdl.attributes {"hit_ratio" = %0, "latency" = %1, "sym_name" = %2}
  }
  irdl.operation @agent_call {
    %0 = irdl.base "#builtin.string"
    irdl.attributes {"sym_name" = %0}
    %1 = irdl.region with size 1
    irdl.regions(body: %1)
  }
  irdl.operation @map {
    %0 = irdl.base "#builtin.integer"
    %1 = irdl.base "#builtin.string"
    irdl.attributes {"over" = %0, "sym_name" = %1}
    %2 = irdl.region with size 1
    irdl.regions(body: %2)
  }
  irdl.operation @edge {
    %0 = irdl.base "#builtin.symbol_ref"
    %1 = irdl.base "#builtin.symbol_ref"
    %2 = irdl.base "#builtin.float"
    irdl.attributes {"from" = %0, "to" = %1, "bytes" = %2}
  }
}
