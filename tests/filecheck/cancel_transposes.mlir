// RUN: dovetail-opt %s -p cancel-transposes | filecheck %s
// Two transposes meet and cancel; one alone stays where it is.

builtin.module {
  func.func @main(%x: tensor<1x8x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x4x4x8xf32>) {
    %0 = "nn.transpose"(%x) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x8x4x4xf32>) -> tensor<1x4x4x8xf32>
    %1 = "nn.fill"() {value = 2.000000e+00 : f64} : () -> tensor<f32>
    %2 = "nn.mul"(%0, %1) : (tensor<1x4x4x8xf32>, tensor<f32>) -> tensor<1x4x4x8xf32>
    %3 = "nn.relu"(%2) : (tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
    %4 = "nn.transpose"(%3) {permutation = array<i64: 0, 3, 1, 2>} : (tensor<1x4x4x8xf32>) -> tensor<1x8x4x4xf32>
    %5 = "nn.transpose"(%x) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x8x4x4xf32>) -> tensor<1x4x4x8xf32>
    %6 = "nn.relu"(%5) : (tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
    func.return %4, %6 : tensor<1x8x4x4xf32>, tensor<1x4x4x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<1x8x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x4x4x8xf32>) {
// CHECK-NEXT: %0 = "nn.fill"() {value = 2.000000e+00 : f64} : () -> tensor<f32>
// CHECK-NEXT: %1 = "nn.mul"(%x, %0) : (tensor<1x8x4x4xf32>, tensor<f32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT: %2 = "nn.relu"(%1) : (tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT: %3 = "nn.transpose"(%x) {permutation = array<i64: 0, 2, 3, 1>} : (tensor<1x8x4x4xf32>) -> tensor<1x4x4x8xf32>
// CHECK-NEXT: %4 = "nn.relu"(%3) : (tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
// CHECK-NEXT: func.return %2, %4 : tensor<1x8x4x4xf32>, tensor<1x4x4x8xf32>
