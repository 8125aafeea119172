// Before decompose-batch-norm: one batch norm of images, one of rows.
builtin.module {
  func.func @main(%x : tensor<1x8x4x4xf32>, %row : tensor<3x8xf32>) -> (tensor<1x8x4x4xf32>, tensor<3x8xf32>) {
    %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
    %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
    %mean = "nn.weight"() {weight = "mean"} : () -> tensor<8xf32>
    %variance = "nn.weight"() {weight = "variance"} : () -> tensor<8xf32>
    %image = "nn.batch_norm"(%x, %scale, %bias, %mean, %variance) {epsilon = 1.0e-05 : f64} : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %rows = "nn.batch_norm"(%row, %scale, %bias, %mean, %variance) {epsilon = 1.0e-03 : f64} : (tensor<3x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<3x8xf32>
    func.return %image, %rows : tensor<1x8x4x4xf32>, tensor<3x8xf32>
  }
}
