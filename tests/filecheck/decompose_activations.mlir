// RUN: dovetail-opt %s -p decompose-activations | filecheck %s
// Activations in arithmetic.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
    %0 = "nn.silu"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %1 = "nn.gelu"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    func.return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT: %0 = "nn.sigmoid"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %1 = "nn.mul"(%x, %0) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %2 = "nn.fill"() {value = 0.70710678118654757 : f64} : () -> tensor<f32>
// CHECK-NEXT: %3 = "nn.mul"(%x, %2) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT: %4 = "nn.erf"(%3) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %5 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
// CHECK-NEXT: %6 = "nn.mul"(%x, %5) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT: %7 = "nn.fill"() {value = 1.000000e+00 : f64} : () -> tensor<f32>
// CHECK-NEXT: %8 = "nn.add"(%4, %7) : (tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
// CHECK-NEXT: %9 = "nn.mul"(%6, %8) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: func.return %1, %9 : tensor<4x8xf32>, tensor<4x8xf32>
