// RUN: dovetail-opt %s -p recognise-rotary | filecheck %s
// Rotary embedding in halves; the second turns the other way, which is another function of the same tables.

builtin.module {
  func.func @main(%x: tensor<2x3x5x8xf32>, %cos: tensor<5x4xf32>, %sin: tensor<5x4xf32>) -> (tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>) {
    %0, %1 = "nn.split"(%x) {axis = 3 : i64, sizes = array<i64: 4, 4>} : (tensor<2x3x5x8xf32>) -> (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>)
    %2, %3 = "nn.split"(%x) {axis = 3 : i64, sizes = array<i64: 4, 4>} : (tensor<2x3x5x8xf32>) -> (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>)
    %4 = "nn.mul"(%0, %cos) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
    %5 = "nn.mul"(%1, %sin) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
    %6 = "nn.sub"(%4, %5) : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
    %7 = "nn.mul"(%1, %cos) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
    %8 = "nn.mul"(%0, %sin) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
    %9 = "nn.add"(%7, %8) : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
    %10 = "nn.concat"(%6, %9) {axis = 3 : i64} : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x8xf32>
    %11 = "nn.mul"(%2, %cos) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
    %12 = "nn.mul"(%3, %sin) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
    %13 = "nn.add"(%11, %12) : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
    %14 = "nn.mul"(%3, %cos) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
    %15 = "nn.mul"(%2, %sin) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
    %16 = "nn.sub"(%14, %15) : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
    %17 = "nn.concat"(%13, %16) {axis = 3 : i64} : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x8xf32>
    func.return %10, %17 : tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<2x3x5x8xf32>, %cos: tensor<5x4xf32>, %sin: tensor<5x4xf32>) -> (tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>) {
// CHECK-NEXT: %0, %1 = "nn.split"(%x) {axis = 3 : i64, sizes = array<i64: 4, 4>} : (tensor<2x3x5x8xf32>) -> (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>)
// CHECK-NEXT: %2 = "nn.rotary"(%x, %cos, %sin) {interleaved = 0 : i64} : (tensor<2x3x5x8xf32>, tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x8xf32>
// CHECK-NEXT: %3 = "nn.mul"(%0, %cos) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
// CHECK-NEXT: %4 = "nn.mul"(%1, %sin) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
// CHECK-NEXT: %5 = "nn.add"(%3, %4) : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
// CHECK-NEXT: %6 = "nn.mul"(%1, %cos) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
// CHECK-NEXT: %7 = "nn.mul"(%0, %sin) : (tensor<2x3x5x4xf32>, tensor<5x4xf32>) -> tensor<2x3x5x4xf32>
// CHECK-NEXT: %8 = "nn.sub"(%6, %7) : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
// CHECK-NEXT: %9 = "nn.concat"(%5, %8) {axis = 3 : i64} : (tensor<2x3x5x4xf32>, tensor<2x3x5x4xf32>) -> tensor<2x3x5x8xf32>
// CHECK-NEXT: func.return %2, %9 : tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>
