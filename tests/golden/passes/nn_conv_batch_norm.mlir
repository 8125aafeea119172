builtin.module {
  func.func @main(%x: tensor<1x2x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) {
    %w = "nn.weight"() {weight = "w"} : () -> tensor<8x2x3x3xf32>
    %b = "nn.weight"() {weight = "b"} : () -> tensor<8xf32>
    %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
    %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
    %mean = "nn.weight"() {weight = "mean"} : () -> tensor<8xf32>
    %variance = "nn.weight"() {weight = "variance"} : () -> tensor<8xf32>
    %norm = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
    %norm_1 = "nn.add"(%variance, %norm) : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
    %norm_2 = "nn.rsqrt"(%norm_1) : (tensor<8xf32>) -> tensor<8xf32>
    %gain = "nn.mul"(%scale, %norm_2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %norm_3 = "nn.mul"(%mean, %gain) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %shift = "nn.sub"(%bias, %norm_3) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %norm_4 = "nn.mul"(%b, %gain) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %shift_1 = "nn.add"(%norm_4, %shift) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %norm_5 = "nn.reshape"(%gain) : (tensor<8xf32>) -> tensor<8x1x1x1xf32>
    %kernel = "nn.mul"(%w, %norm_5) : (tensor<8x2x3x3xf32>, tensor<8x1x1x1xf32>) -> tensor<8x2x3x3xf32>
    %norm_6 = "nn.conv"(%x, %kernel, %shift_1) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %other = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>) -> tensor<1x8x4x4xf32>
    %kept = "nn.batch_norm"(%other, %scale, %bias, %mean, %variance) {epsilon = 1.000000e-05 : f64} : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %sum = "nn.add"(%kept, %other) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    func.return %norm_6, %sum : tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>
  }
}
