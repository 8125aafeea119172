// RUN: dovetail-opt %s -p 'tile-convolutions{filters=2 rows=3}' | filecheck %s
// Filters in two runs, rows in two; each part pads where it touches the image's end alone.

builtin.module {
  func.func @main(%x: tensor<1x2x5x5xf32>, %w: tensor<3x2x3x3xf32>) -> tensor<1x3x5x5xf32> {
    %0 = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x5x5xf32>, tensor<3x2x3x3xf32>) -> tensor<1x3x5x5xf32>
    func.return %0 : tensor<1x3x5x5xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<1x2x5x5xf32>, %w: tensor<3x2x3x3xf32>) -> tensor<1x3x5x5xf32> {
// CHECK-NEXT: %0 = "nn.slice"(%x) {starts = array<i64: 0, 0, 0, 0>, limits = array<i64: 9223372036854775807, 9223372036854775807, 4, 9223372036854775807>} : (tensor<1x2x5x5xf32>) -> tensor<1x2x4x5xf32>
// CHECK-NEXT: %1 = "nn.slice"(%w) {starts = array<i64: 0, 0, 0, 0>, limits = array<i64: 2, 9223372036854775807, 9223372036854775807, 9223372036854775807>} : (tensor<3x2x3x3xf32>) -> tensor<2x2x3x3xf32>
// CHECK-NEXT: %2 = "nn.conv"(%0, %1) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 0, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x5xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x3x5xf32>
// CHECK-NEXT: %3 = "nn.slice"(%w) {starts = array<i64: 2, 0, 0, 0>, limits = array<i64: 3, 9223372036854775807, 9223372036854775807, 9223372036854775807>} : (tensor<3x2x3x3xf32>) -> tensor<1x2x3x3xf32>
// CHECK-NEXT: %4 = "nn.conv"(%0, %3) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 0, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x5xf32>, tensor<1x2x3x3xf32>) -> tensor<1x1x3x5xf32>
// CHECK-NEXT: %5 = "nn.concat"(%2, %4) {axis = 1 : i64} : (tensor<1x2x3x5xf32>, tensor<1x1x3x5xf32>) -> tensor<1x3x3x5xf32>
// CHECK-NEXT: %6 = "nn.slice"(%x) {starts = array<i64: 0, 0, 2, 0>, limits = array<i64: 9223372036854775807, 9223372036854775807, 5, 9223372036854775807>} : (tensor<1x2x5x5xf32>) -> tensor<1x2x3x5xf32>
// CHECK-NEXT: %7 = "nn.slice"(%w) {starts = array<i64: 0, 0, 0, 0>, limits = array<i64: 2, 9223372036854775807, 9223372036854775807, 9223372036854775807>} : (tensor<3x2x3x3xf32>) -> tensor<2x2x3x3xf32>
// CHECK-NEXT: %8 = "nn.conv"(%6, %7) {strides = array<i64: 1, 1>, pads = array<i64: 0, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x3x5xf32>, tensor<2x2x3x3xf32>) -> tensor<1x2x2x5xf32>
// CHECK-NEXT: %9 = "nn.slice"(%w) {starts = array<i64: 2, 0, 0, 0>, limits = array<i64: 3, 9223372036854775807, 9223372036854775807, 9223372036854775807>} : (tensor<3x2x3x3xf32>) -> tensor<1x2x3x3xf32>
// CHECK-NEXT: %10 = "nn.conv"(%6, %9) {strides = array<i64: 1, 1>, pads = array<i64: 0, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x3x5xf32>, tensor<1x2x3x3xf32>) -> tensor<1x1x2x5xf32>
// CHECK-NEXT: %11 = "nn.concat"(%8, %10) {axis = 1 : i64} : (tensor<1x2x2x5xf32>, tensor<1x1x2x5xf32>) -> tensor<1x3x2x5xf32>
// CHECK-NEXT: %12 = "nn.concat"(%5, %11) {axis = 2 : i64} : (tensor<1x3x3x5xf32>, tensor<1x3x2x5xf32>) -> tensor<1x3x5x5xf32>
// CHECK-NEXT: func.return %12 : tensor<1x3x5x5xf32>
