builtin.module {
  func.func @main(%x: tensor<1x8x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) {
    %gain = "nn.weight"() {weight = "gain"} : () -> tensor<8x1x1xf32>
    %shift = "nn.weight"() {weight = "shift"} : () -> tensor<8x1x1xf32>
    %rectified = "nn.fused_elementwise"(%x, %gain, %shift) {steps = [#nn.step<"mul", array<i64: 0, 1>>, #nn.step<"add", array<i64: 3, 2>>, #nn.step<"relu", array<i64: 4>>]} : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
    %pooled = "nn.max_pool"(%rectified) {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    %swish = "nn.fused_elementwise"(%pooled, %x) {steps = [#nn.step<"add", array<i64: 0, 1>>, #nn.step<"sigmoid", array<i64: 2>>, #nn.step<"mul", array<i64: 2, 3>>]} : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    %small = "nn.exp"(%shift) : (tensor<8x1x1xf32>) -> tensor<8x1x1xf32>
    %out = "nn.sub"(%swish, %small) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
    func.return %swish, %out : tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>
  }
}
