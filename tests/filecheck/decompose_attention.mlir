// RUN: dovetail-opt %s -p decompose-attention | filecheck %s
// Grouped heads get an axis of their own; causal is a comparison of positions.

builtin.module {
  func.func @main(%q: tensor<2x4x5x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x6xf32>) -> tensor<2x4x5x6xf32> {
    %0 = "nn.attention"(%q, %k, %v) {causal = 1 : i64, window = 0 : i64, softcap = 0.000000e+00 : f64, scale = 5.000000e-01 : f64} : (tensor<2x4x5x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x6xf32>) -> tensor<2x4x5x6xf32>
    func.return %0 : tensor<2x4x5x6xf32>
  }
}

// CHECK:      func.func @main(%q: tensor<2x4x5x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x6xf32>) -> tensor<2x4x5x6xf32> {
// CHECK-NEXT: %0 = "nn.reshape"(%q) : (tensor<2x4x5x8xf32>) -> tensor<2x2x2x5x8xf32>
// CHECK-NEXT: %1 = "nn.reshape"(%k) : (tensor<2x2x7x8xf32>) -> tensor<2x2x1x7x8xf32>
// CHECK-NEXT: %2 = "nn.reshape"(%v) : (tensor<2x2x7x6xf32>) -> tensor<2x2x1x7x6xf32>
// CHECK-NEXT: %3 = "nn.transpose"(%1) {permutation = array<i64: 0, 1, 2, 4, 3>} : (tensor<2x2x1x7x8xf32>) -> tensor<2x2x1x8x7xf32>
// CHECK-NEXT: %4 = "nn.matmul"(%0, %3) : (tensor<2x2x2x5x8xf32>, tensor<2x2x1x8x7xf32>) -> tensor<2x2x2x5x7xf32>
// CHECK-NEXT: %5 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
// CHECK-NEXT: %6 = "nn.mul"(%4, %5) : (tensor<2x2x2x5x7xf32>, tensor<f32>) -> tensor<2x2x2x5x7xf32>
// CHECK-NEXT: %7 = "nn.iota"() {axis = 0 : i64} : () -> tensor<5x7xi64>
// CHECK-NEXT: %8 = "nn.iota"() {axis = 1 : i64} : () -> tensor<5x7xi64>
// CHECK-NEXT: %9 = "nn.fill"() {value = 2.000000e+00 : f64} : () -> tensor<i64>
// CHECK-NEXT: %10 = "nn.add"(%7, %9) : (tensor<5x7xi64>, tensor<i64>) -> tensor<5x7xi64>
// CHECK-NEXT: %11 = "nn.less_equal"(%8, %10) : (tensor<5x7xi64>, tensor<5x7xi64>) -> tensor<5x7xi1>
// CHECK-NEXT: %12 = "nn.fill"() {value = 0xfff0000000000000 : f64} : () -> tensor<f32>
// CHECK-NEXT: %13 = "nn.where"(%11, %6, %12) : (tensor<5x7xi1>, tensor<2x2x2x5x7xf32>, tensor<f32>) -> tensor<2x2x2x5x7xf32>
// CHECK-NEXT: %14 = "nn.softmax"(%13) {axis = 4 : i64} : (tensor<2x2x2x5x7xf32>) -> tensor<2x2x2x5x7xf32>
// CHECK-NEXT: %15 = "nn.matmul"(%14, %2) : (tensor<2x2x2x5x7xf32>, tensor<2x2x1x7x6xf32>) -> tensor<2x2x2x5x6xf32>
// CHECK-NEXT: %16 = "nn.reshape"(%15) : (tensor<2x2x2x5x6xf32>) -> tensor<2x4x5x6xf32>
// CHECK-NEXT: func.return %16 : tensor<2x4x5x6xf32>
