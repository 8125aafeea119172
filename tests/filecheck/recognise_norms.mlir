// RUN: dovetail-opt %s -p recognise-norms | filecheck %s
// A layer norm with scale and bias, and an RMS norm.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
    %0 = "nn.reduce"(%x) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %1 = "nn.sub"(%x, %0) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    %2 = "nn.mul"(%1, %1) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %3 = "nn.reduce"(%2) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %4 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
    %5 = "nn.add"(%3, %4) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
    %6 = "nn.rsqrt"(%5) : (tensor<4x1xf32>) -> tensor<4x1xf32>
    %7 = "nn.mul"(%1, %6) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
    %8 = "nn.mul"(%7, %scale) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
    %9 = "nn.add"(%8, %bias) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    %10 = "nn.mul"(%y, %y) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %11 = "nn.reduce"(%10) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %12 = "nn.fill"() {value = 1.000000e-06 : f64} : () -> tensor<f32>
    %13 = "nn.add"(%11, %12) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
    %14 = "nn.rsqrt"(%13) : (tensor<4x1xf32>) -> tensor<4x1xf32>
    %15 = "nn.mul"(%y, %14) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    func.return %9, %15 : tensor<4x8xf32>, tensor<4x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT: %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
// CHECK-NEXT: %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
// CHECK-NEXT: %0 = "nn.layer_norm"(%x, %scale, %bias) {epsilon = 1.000000e-05 : f64, axis = 1 : i64} : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %1 = "nn.rms_norm"(%y) {epsilon = 1.000000e-06 : f64, axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: func.return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
