// RUN: dovetail-opt %s -p 'decompose-norms{too_wide=true}' | filecheck %s
// A row of 200,000 does not fit on the chip, one of 4 does.

builtin.module {
  func.func @main(%x: tensor<4x200000xf32>) -> (tensor<4x200000xf32>, tensor<4x200000xf32>) {
    %0 = "nn.softmax"(%x) {axis = 1 : i64} : (tensor<4x200000xf32>) -> tensor<4x200000xf32>
    %1 = "nn.softmax"(%x) {axis = 0 : i64} : (tensor<4x200000xf32>) -> tensor<4x200000xf32>
    func.return %0, %1 : tensor<4x200000xf32>, tensor<4x200000xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x200000xf32>) -> (tensor<4x200000xf32>, tensor<4x200000xf32>) {
// CHECK-NEXT: %0 = "nn.reduce"(%x) {kind = "max", axes = array<i64: 1>} : (tensor<4x200000xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %1 = "nn.sub"(%x, %0) : (tensor<4x200000xf32>, tensor<4x1xf32>) -> tensor<4x200000xf32>
// CHECK-NEXT: %2 = "nn.exp"(%1) : (tensor<4x200000xf32>) -> tensor<4x200000xf32>
// CHECK-NEXT: %3 = "nn.reduce"(%2) {kind = "sum", axes = array<i64: 1>} : (tensor<4x200000xf32>) -> tensor<4x1xf32>
// CHECK-NEXT: %4 = "nn.div"(%2, %3) : (tensor<4x200000xf32>, tensor<4x1xf32>) -> tensor<4x200000xf32>
// CHECK-NEXT: %5 = "nn.softmax"(%x) {axis = 0 : i64} : (tensor<4x200000xf32>) -> tensor<4x200000xf32>
// CHECK-NEXT: func.return %4, %5 : tensor<4x200000xf32>, tensor<4x200000xf32>
