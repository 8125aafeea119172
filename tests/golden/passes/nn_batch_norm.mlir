builtin.module {
  func.func @main(%x: tensor<1x8x4x4xf32>, %row: tensor<3x8xf32>) -> (tensor<1x8x4x4xf32>, tensor<3x8xf32>) {
    %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
    %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
    %mean = "nn.weight"() {weight = "mean"} : () -> tensor<8xf32>
    %variance = "nn.weight"() {weight = "variance"} : () -> tensor<8xf32>
    %image = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
    %image_1 = "nn.add"(%variance, %image) : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
    %image_2 = "nn.rsqrt"(%image_1) : (tensor<8xf32>) -> tensor<8xf32>
    %gain = "nn.mul"(%scale, %image_2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %image_3 = "nn.mul"(%mean, %gain) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %shift = "nn.sub"(%bias, %image_3) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %gain_1 = "nn.reshape"(%gain) : (tensor<8xf32>) -> tensor<8x1x1xf32>
    %shift_1 = "nn.reshape"(%shift) : (tensor<8xf32>) -> tensor<8x1x1xf32>
    %image_4 = "nn.mul"(%x, %gain_1) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
    %image_5 = "nn.add"(%image_4, %shift_1) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
    %rows = "nn.fill"() {value = 1.000000e-03 : f64} : () -> tensor<f32>
    %rows_1 = "nn.add"(%variance, %rows) : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
    %rows_2 = "nn.rsqrt"(%rows_1) : (tensor<8xf32>) -> tensor<8xf32>
    %gain_2 = "nn.mul"(%scale, %rows_2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %rows_3 = "nn.mul"(%mean, %gain_2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %shift_2 = "nn.sub"(%bias, %rows_3) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %rows_4 = "nn.mul"(%row, %gain_2) : (tensor<3x8xf32>, tensor<8xf32>) -> tensor<3x8xf32>
    %rows_5 = "nn.add"(%rows_4, %shift_2) : (tensor<3x8xf32>, tensor<8xf32>) -> tensor<3x8xf32>
    func.return %image_5, %rows_5 : tensor<1x8x4x4xf32>, tensor<3x8xf32>
  }
}
