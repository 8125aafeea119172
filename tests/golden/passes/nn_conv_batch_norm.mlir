builtin.module {
  func.func @main(%x: tensor<1x2x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) {
    %w = "nn.weight"() {weight = "w"} : () -> tensor<8x2x3x3xf32>
    %b = "nn.weight"() {weight = "b"} : () -> tensor<8xf32>
    %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
    %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
    %mean = "nn.weight"() {weight = "mean"} : () -> tensor<8xf32>
    %variance = "nn.weight"() {weight = "variance"} : () -> tensor<8xf32>
    %0 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
    %1 = "nn.add"(%variance, %0) : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
    %2 = "nn.rsqrt"(%1) : (tensor<8xf32>) -> tensor<8xf32>
    %gain = "nn.mul"(%scale, %2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %3 = "nn.mul"(%mean, %gain) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %shift = "nn.sub"(%bias, %3) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %4 = "nn.mul"(%b, %gain) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %shift_1 = "nn.add"(%4, %shift) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %5 = "nn.reshape"(%gain) : (tensor<8xf32>) -> tensor<8x1x1x1xf32>
    %kernel = "nn.mul"(%w, %5) : (tensor<8x2x3x3xf32>, tensor<8x1x1x1xf32>) -> tensor<8x2x3x3xf32>
    %norm = "nn.conv"(%x, %kernel, %shift_1) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %other = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>) -> tensor<1x8x4x4xf32>
    %kept = "nn.batch_norm"(%other, %scale, %bias, %mean, %variance) {epsilon = 1.000000e-05 : f64} : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %sum = "nn.add"(%kept, %other) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    func.return %norm, %sum : tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>
  }
}
