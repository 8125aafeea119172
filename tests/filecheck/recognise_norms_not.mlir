// RUN: dovetail-opt %s -p recognise-norms | filecheck %s
// No layer norm: the mean is not over the last axes, epsilon is outside the root, or the mean leaves too.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %z: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x1xf32>) {
    %0 = "nn.reduce"(%z) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %1 = "nn.sub"(%z, %0) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    %2 = "nn.mul"(%1, %1) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %3 = "nn.reduce"(%2) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %4 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
    %5 = "nn.add"(%3, %4) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
    %6 = "nn.rsqrt"(%5) : (tensor<4x1xf32>) -> tensor<4x1xf32>
    %7 = "nn.mul"(%1, %6) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    %8 = "nn.reduce"(%x) {kind = "mean", axes = array<i64: 0>} : (tensor<4x8xf32>) -> tensor<1x8xf32>
    %9 = "nn.sub"(%x, %8) : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
    %10 = "nn.mul"(%9, %9) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %11 = "nn.reduce"(%10) {kind = "mean", axes = array<i64: 0>} : (tensor<4x8xf32>) -> tensor<1x8xf32>
    %12 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
    %13 = "nn.add"(%11, %12) : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
    %14 = "nn.rsqrt"(%13) : (tensor<1x8xf32>) -> tensor<1x8xf32>
    %15 = "nn.mul"(%9, %14) : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
    %16 = "nn.reduce"(%y) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %17 = "nn.sub"(%y, %16) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    %18 = "nn.mul"(%17, %17) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %19 = "nn.reduce"(%18) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %20 = "nn.rsqrt"(%19) : (tensor<4x1xf32>) -> tensor<4x1xf32>
    %21 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
    %22 = "nn.add"(%20, %21) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
    %23 = "nn.mul"(%17, %22) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    func.return %15, %23, %7, %0 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x1xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %z: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x1xf32>) {
// CHECK-NEXT: %0 = "nn.reduce"(%z) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %1 = "nn.sub"(%z, %0) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %2 = "nn.mul"(%1, %1) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %3 = "nn.reduce"(%2) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %4 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
// CHECK-NEXT: %5 = "nn.add"(%3, %4) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
// CHECK-NEXT: %6 = "nn.rsqrt"(%5) : (tensor<4x1xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %7 = "nn.mul"(%1, %6) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %8 = "nn.reduce"(%x) {kind = "mean", axes = array<i64: 0>} : (tensor<4x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT: %9 = "nn.sub"(%x, %8) : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %10 = "nn.mul"(%9, %9) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %11 = "nn.reduce"(%10) {kind = "mean", axes = array<i64: 0>} : (tensor<4x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT: %12 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
// CHECK-NEXT: %13 = "nn.add"(%11, %12) : (tensor<1x8xf32>, tensor<f32>) -> tensor<1x8xf32>
// CHECK-NEXT: %14 = "nn.rsqrt"(%13) : (tensor<1x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT: %15 = "nn.mul"(%9, %14) : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %16 = "nn.reduce"(%y) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %17 = "nn.sub"(%y, %16) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %18 = "nn.mul"(%17, %17) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %19 = "nn.reduce"(%18) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %20 = "nn.rsqrt"(%19) : (tensor<4x1xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %21 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
// CHECK-NEXT: %22 = "nn.add"(%20, %21) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
// CHECK-NEXT: %23 = "nn.mul"(%17, %22) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: func.return %15, %23, %7, %0 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x1xf32>
