// RUN: dovetail-opt %s -p recognise-activations | filecheck %s
// GELU and SiLU are found; with another factor under erf, or where the gate leaves too, they are not.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
    %0 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
    %1 = "nn.mul"(%x, %0) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %2 = "nn.fill"() {value = 0.70710678118654757 : f64} : () -> tensor<f32>
    %3 = "nn.mul"(%x, %2) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %4 = "nn.erf"(%3) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %5 = "nn.fill"() {value = 1.000000e+00 : f64} : () -> tensor<f32>
    %6 = "nn.add"(%4, %5) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %7 = "nn.mul"(%1, %6) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %8 = "nn.sigmoid"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %9 = "nn.mul"(%x, %8) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %10 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
    %11 = "nn.mul"(%x, %10) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %12 = "nn.fill"() {value = 7.000000e-01 : f64} : () -> tensor<f32>
    %13 = "nn.mul"(%x, %12) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %14 = "nn.erf"(%13) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %15 = "nn.fill"() {value = 1.000000e+00 : f64} : () -> tensor<f32>
    %16 = "nn.add"(%14, %15) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %17 = "nn.mul"(%11, %16) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %18 = "nn.sigmoid"(%9) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %19 = "nn.mul"(%9, %18) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    func.return %7, %9, %17, %19, %18 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT: %0 = "nn.gelu"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %1 = "nn.silu"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %2 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
// CHECK-NEXT: %3 = "nn.mul"(%x, %2) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT: %4 = "nn.fill"() {value = 7.000000e-01 : f64} : () -> tensor<f32>
// CHECK-NEXT: %5 = "nn.mul"(%x, %4) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT: %6 = "nn.erf"(%5) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %7 = "nn.fill"() {value = 1.000000e+00 : f64} : () -> tensor<f32>
// CHECK-NEXT: %8 = "nn.add"(%6, %7) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT: %9 = "nn.mul"(%3, %8) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %10 = "nn.sigmoid"(%1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %11 = "nn.mul"(%1, %10) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: func.return %0, %1, %9, %11, %10 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
