// RUN: dovetail-opt %s -p recognise-attention | filecheck %s
// Causal attention with grouped heads, spelled out.

builtin.module {
  func.func @main(%q: tensor<2x4x5x8xf32>, %k: tensor<2x2x5x8xf32>, %v: tensor<2x2x5x8xf32>) -> tensor<2x4x5x8xf32> {
    %0 = "nn.iota"() {axis = 1 : i64} : () -> tensor<5x5xi64>
    %1 = "nn.iota"() {axis = 0 : i64} : () -> tensor<5x5xi64>
    %2 = "nn.less_equal"(%0, %1) : (tensor<5x5xi64>, tensor<5x5xi64>) -> tensor<5x5xi1>
    %3 = "nn.reshape"(%k) : (tensor<2x2x5x8xf32>) -> tensor<2x2x1x5x8xf32>
    %4 = "nn.broadcast"(%3) : (tensor<2x2x1x5x8xf32>) -> tensor<2x2x2x5x8xf32>
    %5 = "nn.reshape"(%4) : (tensor<2x2x2x5x8xf32>) -> tensor<2x4x5x8xf32>
    %6 = "nn.transpose"(%5) {permutation = array<i64: 0, 1, 3, 2>} : (tensor<2x4x5x8xf32>) -> tensor<2x4x8x5xf32>
    %7 = "nn.matmul"(%q, %6) : (tensor<2x4x5x8xf32>, tensor<2x4x8x5xf32>) -> tensor<2x4x5x5xf32>
    %8 = "nn.fill"() {value = 2.500000e-01 : f64} : () -> tensor<f32>
    %9 = "nn.mul"(%7, %8) : (tensor<2x4x5x5xf32>, tensor<f32>) -> tensor<2x4x5x5xf32>
    %10 = "nn.fill"() {value = -1.000000e+30 : f64} : () -> tensor<f32>
    %11 = "nn.where"(%2, %9, %10) : (tensor<5x5xi1>, tensor<2x4x5x5xf32>, tensor<f32>) -> tensor<2x4x5x5xf32>
    %12 = "nn.softmax"(%11) {axis = 3 : i64} : (tensor<2x4x5x5xf32>) -> tensor<2x4x5x5xf32>
    %13 = "nn.reshape"(%v) : (tensor<2x2x5x8xf32>) -> tensor<2x2x1x5x8xf32>
    %14 = "nn.broadcast"(%13) : (tensor<2x2x1x5x8xf32>) -> tensor<2x2x2x5x8xf32>
    %15 = "nn.reshape"(%14) : (tensor<2x2x2x5x8xf32>) -> tensor<2x4x5x8xf32>
    %16 = "nn.matmul"(%12, %15) : (tensor<2x4x5x5xf32>, tensor<2x4x5x8xf32>) -> tensor<2x4x5x8xf32>
    func.return %16 : tensor<2x4x5x8xf32>
  }
}

// CHECK:      func.func @main(%q: tensor<2x4x5x8xf32>, %k: tensor<2x2x5x8xf32>, %v: tensor<2x2x5x8xf32>) -> tensor<2x4x5x8xf32> {
// CHECK-NEXT: %0 = "nn.attention"(%q, %k, %v) {causal = 1 : i64, window = 0 : i64, softcap = 0.000000e+00 : f64, scale = 2.500000e-01 : f64} : (tensor<2x4x5x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x8xf32>) -> tensor<2x4x5x8xf32>
// CHECK-NEXT: func.return %0 : tensor<2x4x5x8xf32>
