// RUN: dovetail-opt %s -p canonicalise | filecheck %s
// Each line in its canonical form; the last sum is divided by what is not the number of its elements.

builtin.module {
  func.func @main(%x: tensor<2x3x4xf32>) -> (tensor<2x4x3xf32>, tensor<24xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x1x1xf32>, tensor<2x1x4xf32>) {
    %0 = "nn.transpose"(%x) {permutation = array<i64: 1, 0, 2>} : (tensor<2x3x4xf32>) -> tensor<3x2x4xf32>
    %1 = "nn.transpose"(%0) {permutation = array<i64: 1, 2, 0>} : (tensor<3x2x4xf32>) -> tensor<2x4x3xf32>
    %2 = "nn.reshape"(%x) : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
    %3 = "nn.reshape"(%2) : (tensor<6x4xf32>) -> tensor<24xf32>
    %4 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
    %5 = "nn.broadcast"(%4) : (tensor<f32>) -> tensor<2x3x4xf32>
    %6 = "nn.mul"(%5, %x) : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
    %7 = "nn.fill"() {value = 0.000000e+00 : f64} : () -> tensor<f32>
    %8 = "nn.add"(%6, %7) : (tensor<2x3x4xf32>, tensor<f32>) -> tensor<2x3x4xf32>
    %9 = "nn.reduce"(%x) {kind = "sum", axes = array<i64: 2>} : (tensor<2x3x4xf32>) -> tensor<2x3x1xf32>
    %10 = "nn.fill"() {value = 1.600000e+01 : f64} : () -> tensor<f32>
    %11 = "nn.fill"() {value = 1.000000e+00 : f64} : () -> tensor<f32>
    %12 = "nn.pow"(%10, %11) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %13 = "nn.sqrt"(%12) : (tensor<f32>) -> tensor<f32>
    %14 = "nn.div"(%9, %13) : (tensor<2x3x1xf32>, tensor<f32>) -> tensor<2x3x1xf32>
    %15 = "nn.fill"() {value = 2.000000e+00 : f64} : () -> tensor<f32>
    %16 = "nn.pow"(%x, %15) : (tensor<2x3x4xf32>, tensor<f32>) -> tensor<2x3x4xf32>
    %17 = "nn.reduce"(%x) {kind = "sum", axes = array<i64: 1, 2>} : (tensor<2x3x4xf32>) -> tensor<2x1x1xf32>
    %18 = "nn.fill"() {value = 1.200000e+01 : f64} : () -> tensor<f32>
    %19 = "nn.div"(%17, %18) : (tensor<2x1x1xf32>, tensor<f32>) -> tensor<2x1x1xf32>
    %20 = "nn.reduce"(%x) {kind = "sum", axes = array<i64: 1>} : (tensor<2x3x4xf32>) -> tensor<2x1x4xf32>
    %21 = "nn.fill"() {value = 4.000000e+00 : f64} : () -> tensor<f32>
    %22 = "nn.div"(%20, %21) : (tensor<2x1x4xf32>, tensor<f32>) -> tensor<2x1x4xf32>
    func.return %1, %3, %8, %16, %19, %22 : tensor<2x4x3xf32>, tensor<24xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x1x1xf32>, tensor<2x1x4xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<2x3x4xf32>) -> (tensor<2x4x3xf32>, tensor<24xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x1x1xf32>, tensor<2x1x4xf32>) {
// CHECK-NEXT: %0 = "nn.transpose"(%x) {permutation = array<i64: 0, 2, 1>} : (tensor<2x3x4xf32>) -> tensor<2x4x3xf32>
// CHECK-NEXT: %1 = "nn.reshape"(%x) : (tensor<2x3x4xf32>) -> tensor<24xf32>
// CHECK-NEXT: %2 = "nn.fill"() {value = 5.000000e-01 : f64} : () -> tensor<f32>
// CHECK-NEXT: %3 = "nn.mul"(%x, %2) : (tensor<2x3x4xf32>, tensor<f32>) -> tensor<2x3x4xf32>
// CHECK-NEXT: %4 = "nn.reduce"(%x) {kind = "sum", axes = array<i64: 2>} : (tensor<2x3x4xf32>) -> tensor<2x3x1xf32>
// CHECK-NEXT: %5 = "nn.fill"() {value = 1.600000e+01 : f64} : () -> tensor<f32>
// CHECK-NEXT: %6 = "nn.rsqrt"(%5) : (tensor<f32>) -> tensor<f32>
// CHECK-NEXT: %7 = "nn.mul"(%4, %6) : (tensor<2x3x1xf32>, tensor<f32>) -> tensor<2x3x1xf32>
// CHECK-NEXT: %8 = "nn.mul"(%x, %x) : (tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
// CHECK-NEXT: %9 = "nn.reduce"(%x) {kind = "mean", axes = array<i64: 1, 2>} : (tensor<2x3x4xf32>) -> tensor<2x1x1xf32>
// CHECK-NEXT: %10 = "nn.reduce"(%x) {kind = "sum", axes = array<i64: 1>} : (tensor<2x3x4xf32>) -> tensor<2x1x4xf32>
// CHECK-NEXT: %11 = "nn.fill"() {value = 4.000000e+00 : f64} : () -> tensor<f32>
// CHECK-NEXT: %12 = "nn.div"(%10, %11) : (tensor<2x1x4xf32>, tensor<f32>) -> tensor<2x1x4xf32>
// CHECK-NEXT: func.return %0, %1, %3, %8, %9, %12 : tensor<2x4x3xf32>, tensor<24xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x1x1xf32>, tensor<2x1x4xf32>
