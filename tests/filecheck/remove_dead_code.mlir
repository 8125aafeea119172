// RUN: dovetail-opt %s -p remove-dead-code | filecheck %s
// What nobody uses goes.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
    %0 = "nn.exp"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %1 = "nn.relu"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    func.return %1 : tensor<4x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT: %0 = "nn.relu"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: func.return %0 : tensor<4x8xf32>
