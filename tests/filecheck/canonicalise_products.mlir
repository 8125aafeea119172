// RUN: dovetail-opt %s -p canonicalise | filecheck %s
// Transposes of matrices go into the product; a plain gemm is a matmul.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) {
    %0 = "nn.transpose"(%w) {permutation = array<i64: 1, 0>} : (tensor<3x8xf32>) -> tensor<8x3xf32>
    %1 = "nn.matmul"(%x, %0) : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
    %2 = "nn.transpose"(%w) {permutation = array<i64: 1, 0>} : (tensor<3x8xf32>) -> tensor<8x3xf32>
    %3 = "nn.gemm"(%x, %2) {transpose_a = 0 : i64, transpose_b = 0 : i64} : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
    %4 = "nn.gemm"(%x, %w) {transpose_a = 0 : i64, transpose_b = 1 : i64} : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
    func.return %1, %3, %4 : tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) {
// CHECK-NEXT: %0 = "nn.gemm"(%x, %w) {transpose_a = 0 : i64, transpose_b = 1 : i64} : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %1 = "nn.gemm"(%x, %w) {transpose_a = 0 : i64, transpose_b = 1 : i64} : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %2 = "nn.gemm"(%x, %w) {transpose_a = 0 : i64, transpose_b = 1 : i64} : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: func.return %0, %1, %2 : tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>
