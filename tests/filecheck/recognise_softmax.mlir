// RUN: dovetail-opt %s -p recognise-softmax | filecheck %s
// A softmax; where the maximum is along another axis, it is a shift like any other, and stays.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
    %0 = "nn.reduce"(%x) {kind = "max", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %1 = "nn.sub"(%x, %0) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    %2 = "nn.exp"(%1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %3 = "nn.reduce"(%2) {kind = "sum", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %4 = "nn.div"(%2, %3) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    %5 = "nn.reduce"(%y) {kind = "max", axes = array<i64: 0>} : (tensor<4x8xf32>) -> tensor<1x8xf32>
    %6 = "nn.sub"(%y, %5) : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
    %7 = "nn.exp"(%6) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %8 = "nn.reduce"(%7) {kind = "sum", axes = array<i64: 1>} : (tensor<4x8xf32>) -> tensor<4x1xf32>
    %9 = "nn.div"(%7, %8) : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    func.return %4, %9 : tensor<4x8xf32>, tensor<4x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT: %0 = "nn.softmax"(%x) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %1 = "nn.reduce"(%y) {kind = "max", axes = array<i64: 0>} : (tensor<4x8xf32>) -> tensor<1x8xf32>
// CHECK-NEXT: %2 = "nn.sub"(%y, %1) : (tensor<4x8xf32>, tensor<1x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %3 = "nn.softmax"(%2) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: func.return %0, %3 : tensor<4x8xf32>, tensor<4x8xf32>
