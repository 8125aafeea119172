// RUN: dovetail-opt %s -p recognise-attention | filecheck %s
// No attention: the shares leave too, or the softmax is over the queries.

builtin.module {
  func.func @main(%q: tensor<2x4x5x8xf32>, %k: tensor<2x4x5x8xf32>, %v: tensor<2x4x5x8xf32>) -> (tensor<2x4x5x8xf32>, tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>) {
    %0 = "nn.transpose"(%k) {permutation = array<i64: 0, 1, 3, 2>} : (tensor<2x4x5x8xf32>) -> tensor<2x4x8x5xf32>
    %1 = "nn.matmul"(%q, %0) : (tensor<2x4x5x8xf32>, tensor<2x4x8x5xf32>) -> tensor<2x4x5x5xf32>
    %2 = "nn.softmax"(%1) {axis = 3 : i64} : (tensor<2x4x5x5xf32>) -> tensor<2x4x5x5xf32>
    %3 = "nn.transpose"(%k) {permutation = array<i64: 0, 1, 3, 2>} : (tensor<2x4x5x8xf32>) -> tensor<2x4x8x5xf32>
    %4 = "nn.matmul"(%q, %3) : (tensor<2x4x5x8xf32>, tensor<2x4x8x5xf32>) -> tensor<2x4x5x5xf32>
    %5 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
    %6 = "nn.mul"(%4, %5) : (tensor<2x4x5x5xf32>, tensor<f32>) -> tensor<2x4x5x5xf32>
    %7 = "nn.softmax"(%6) {axis = 2 : i64} : (tensor<2x4x5x5xf32>) -> tensor<2x4x5x5xf32>
    %8 = "nn.matmul"(%2, %v) : (tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>) -> tensor<2x4x5x8xf32>
    %9 = "nn.matmul"(%7, %v) : (tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>) -> tensor<2x4x5x8xf32>
    func.return %8, %2, %9 : tensor<2x4x5x8xf32>, tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>
  }
}

// CHECK:      func.func @main(%q: tensor<2x4x5x8xf32>, %k: tensor<2x4x5x8xf32>, %v: tensor<2x4x5x8xf32>) -> (tensor<2x4x5x8xf32>, tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>) {
// CHECK-NEXT: %0 = "nn.transpose"(%k) {permutation = array<i64: 0, 1, 3, 2>} : (tensor<2x4x5x8xf32>) -> tensor<2x4x8x5xf32>
// CHECK-NEXT: %1 = "nn.matmul"(%q, %0) : (tensor<2x4x5x8xf32>, tensor<2x4x8x5xf32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT: %2 = "nn.softmax"(%1) {axis = 3 : i64} : (tensor<2x4x5x5xf32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT: %3 = "nn.transpose"(%k) {permutation = array<i64: 0, 1, 3, 2>} : (tensor<2x4x5x8xf32>) -> tensor<2x4x8x5xf32>
// CHECK-NEXT: %4 = "nn.matmul"(%q, %3) : (tensor<2x4x5x8xf32>, tensor<2x4x8x5xf32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT: %5 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
// CHECK-NEXT: %6 = "nn.mul"(%4, %5) : (tensor<2x4x5x5xf32>, tensor<f32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT: %7 = "nn.softmax"(%6) {axis = 2 : i64} : (tensor<2x4x5x5xf32>) -> tensor<2x4x5x5xf32>
// CHECK-NEXT: %8 = "nn.matmul"(%2, %v) : (tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>) -> tensor<2x4x5x8xf32>
// CHECK-NEXT: %9 = "nn.matmul"(%7, %v) : (tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>) -> tensor<2x4x5x8xf32>
// CHECK-NEXT: func.return %8, %2, %9 : tensor<2x4x5x8xf32>, tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>
