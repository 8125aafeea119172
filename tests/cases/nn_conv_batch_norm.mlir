// Before fuse-conv-batch-norm: one batch norm that can go into its convolution, one whose input another op uses too.
builtin.module {
  func.func @main(%x : tensor<1x2x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) {
    %w = "nn.weight"() {weight = "w"} : () -> tensor<8x2x3x3xf32>
    %b = "nn.weight"() {weight = "b"} : () -> tensor<8xf32>
    %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
    %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
    %mean = "nn.weight"() {weight = "mean"} : () -> tensor<8xf32>
    %variance = "nn.weight"() {weight = "variance"} : () -> tensor<8xf32>
    %conv = "nn.conv"(%x, %w, %b) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %norm = "nn.batch_norm"(%conv, %scale, %bias, %mean, %variance) {epsilon = 1.0e-05 : f64} : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %other = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>) -> tensor<1x8x4x4xf32>
    %kept = "nn.batch_norm"(%other, %scale, %bias, %mean, %variance) {epsilon = 1.0e-05 : f64} : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %sum = "nn.add"(%kept, %other) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    func.return %norm, %sum : tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>
  }
}
