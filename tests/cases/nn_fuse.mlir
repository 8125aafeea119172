// Before fuse-elementwise: a chain, a value used twice by its chain, one used by another op, and a small producer.
builtin.module {
  func.func @main(%x : tensor<1x8x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) {
    %gain = "nn.weight"() {weight = "gain"} : () -> tensor<8x1x1xf32>
    %shift = "nn.weight"() {weight = "shift"} : () -> tensor<8x1x1xf32>
    %scaled = "nn.mul"(%x, %gain) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
    %shifted = "nn.add"(%scaled, %shift) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
    %rectified = "nn.relu"(%shifted) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    %pooled = "nn.max_pool"(%rectified) {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    %more = "nn.add"(%pooled, %x) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    %gate = "nn.sigmoid"(%more) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    %swish = "nn.mul"(%more, %gate) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    %small = "nn.exp"(%shift) : (tensor<8x1x1xf32>) -> tensor<8x1x1xf32>
    %out = "nn.sub"(%swish, %small) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
    func.return %swish, %out : tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>
  }
}
