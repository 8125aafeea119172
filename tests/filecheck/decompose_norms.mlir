// RUN: dovetail-opt %s -p decompose-norms | filecheck %s
// Norms and softmax in reductions and arithmetic.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
    %s = "nn.weight"() {weight = "s"} : () -> tensor<8xf32>
    %0 = "nn.rms_norm"(%x, %s) {epsilon = 1.000000e-05 : f64, axis = 1 : i64} : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    %1 = "nn.layer_norm"(%x) {epsilon = 1.000000e-05 : f64, axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %2 = "nn.softmax"(%x) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    func.return %0, %1, %2 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT: %s = "nn.weight"() {weight = "s"} : () -> tensor<8xf32>
// CHECK-NEXT: %0 = "nn.mul"(%x, %x) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %1 = "nn.reduce"(%0) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %2 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
// CHECK-NEXT: %3 = "nn.add"(%1, %2) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
// CHECK-NEXT: %4 = "nn.rsqrt"(%3) : (tensor<4x1xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %5 = "nn.mul"(%x, %4) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %6 = "nn.mul"(%5, %s) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %7 = "nn.reduce"(%x) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %8 = "nn.sub"(%x, %7) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %9 = "nn.mul"(%8, %8) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %10 = "nn.reduce"(%9) {kind = "mean", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %11 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
// CHECK-NEXT: %12 = "nn.add"(%10, %11) : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32>
// CHECK-NEXT: %13 = "nn.rsqrt"(%12) : (tensor<4x1xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %14 = "nn.mul"(%8, %13) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %15 = "nn.reduce"(%x) {kind = "max", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %16 = "nn.sub"(%x, %15) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %17 = "nn.exp"(%16) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %18 = "nn.reduce"(%17) {kind = "sum", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %19 = "nn.div"(%17, %18) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: func.return %6, %14, %19 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
