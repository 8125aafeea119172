// RUN: dovetail-opt %s -p 'tile-products{n=3 k=4}' | filecheck %s
// Columns in two runs, summands in two.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> tensor<4x6xf32> {
    %0 = "nn.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    func.return %0 : tensor<4x6xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT: %0 = "nn.slice"(%x) {starts = array<i64: 0, 0>, limits = array<i64: 9223372036854775807, 4>} : (tensor<4x8xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %1 = "nn.slice"(%w) {starts = array<i64: 0, 0>, limits = array<i64: 4, 9223372036854775807>} : (tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %2 = "nn.slice"(%1) {starts = array<i64: 0, 0>, limits = array<i64: 9223372036854775807, 3>} : (tensor<4x6xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %3 = "nn.matmul"(%0, %2) : (tensor<4x4xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %4 = "nn.slice"(%x) {starts = array<i64: 0, 4>, limits = array<i64: 9223372036854775807, 8>} : (tensor<4x8xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %5 = "nn.slice"(%w) {starts = array<i64: 4, 0>, limits = array<i64: 8, 9223372036854775807>} : (tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %6 = "nn.slice"(%5) {starts = array<i64: 0, 0>, limits = array<i64: 9223372036854775807, 3>} : (tensor<4x6xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %7 = "nn.matmul"(%4, %6) : (tensor<4x4xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %8 = "nn.add"(%3, %7) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %9 = "nn.slice"(%x) {starts = array<i64: 0, 0>, limits = array<i64: 9223372036854775807, 4>} : (tensor<4x8xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %10 = "nn.slice"(%w) {starts = array<i64: 0, 0>, limits = array<i64: 4, 9223372036854775807>} : (tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %11 = "nn.slice"(%10) {starts = array<i64: 0, 3>, limits = array<i64: 9223372036854775807, 6>} : (tensor<4x6xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %12 = "nn.matmul"(%9, %11) : (tensor<4x4xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %13 = "nn.slice"(%x) {starts = array<i64: 0, 4>, limits = array<i64: 9223372036854775807, 8>} : (tensor<4x8xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: %14 = "nn.slice"(%w) {starts = array<i64: 4, 0>, limits = array<i64: 8, 9223372036854775807>} : (tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %15 = "nn.slice"(%14) {starts = array<i64: 0, 3>, limits = array<i64: 9223372036854775807, 6>} : (tensor<4x6xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %16 = "nn.matmul"(%13, %15) : (tensor<4x4xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %17 = "nn.add"(%12, %16) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
// CHECK-NEXT: %18 = "nn.concat"(%8, %17) {axis = 1 : i64} : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: func.return %18 : tensor<4x6xf32>
