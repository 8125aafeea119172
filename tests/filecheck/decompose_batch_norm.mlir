// RUN: dovetail-opt %s -p decompose-batch-norm | filecheck %s
// One batch norm of images, one of rows.

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

// CHECK:      func.func @main(%x: tensor<1x8x4x4xf32>, %row: tensor<3x8xf32>) -> (tensor<1x8x4x4xf32>, tensor<3x8xf32>) {
// CHECK-NEXT: %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
// CHECK-NEXT: %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
// CHECK-NEXT: %mean = "nn.weight"() {weight = "mean"} : () -> tensor<8xf32>
// CHECK-NEXT: %variance = "nn.weight"() {weight = "variance"} : () -> tensor<8xf32>
// CHECK-NEXT: %0 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
// CHECK-NEXT: %1 = "nn.add"(%variance, %0) : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
// CHECK-NEXT: %2 = "nn.rsqrt"(%1) : (tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %gain = "nn.mul"(%scale, %2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %3 = "nn.mul"(%mean, %gain) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %shift = "nn.sub"(%bias, %3) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %gain_1 = "nn.reshape"(%gain) : (tensor<8xf32>) -> tensor<8x1x1xf32>
// CHECK-NEXT: %shift_1 = "nn.reshape"(%shift) : (tensor<8xf32>) -> tensor<8x1x1xf32>
// CHECK-NEXT: %4 = "nn.mul"(%x, %gain_1) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT: %image = "nn.add"(%4, %shift_1) : (tensor<1x8x4x4xf32>, tensor<8x1x1xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT: %5 = "nn.fill"() {value = 1.000000e-03 : f64} : () -> tensor<f32>
// CHECK-NEXT: %6 = "nn.add"(%variance, %5) : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
// CHECK-NEXT: %7 = "nn.rsqrt"(%6) : (tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %gain_2 = "nn.mul"(%scale, %7) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %8 = "nn.mul"(%mean, %gain_2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %shift_2 = "nn.sub"(%bias, %8) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %9 = "nn.mul"(%row, %gain_2) : (tensor<3x8xf32>, tensor<8xf32>) -> tensor<3x8xf32>
// CHECK-NEXT: %rows = "nn.add"(%9, %shift_2) : (tensor<3x8xf32>, tensor<8xf32>) -> tensor<3x8xf32>
// CHECK-NEXT: func.return %image, %rows : tensor<1x8x4x4xf32>, tensor<3x8xf32>
