// RUN: dovetail-opt %s -p decompose-fusions,remove-dead-code | filecheck %s
// The ops of a fusion by themselves.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> tensor<4x6xf32> {
    %0 = "nn.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    %1 = "nn.relu"(%0) : (tensor<4x6xf32>) -> tensor<4x6xf32>
    %2 = "nn.fusion"(%x, %w) ({
    ^bb0(%x_1: tensor<4x8xf32>, %w_1: tensor<8x6xf32>):
      %3 = "nn.matmul"(%x_1, %w_1) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
      %4 = "nn.relu"(%3) : (tensor<4x6xf32>) -> tensor<4x6xf32>
    }) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    func.return %2 : tensor<4x6xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT: %0 = "nn.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %1 = "nn.relu"(%0) : (tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: func.return %1 : tensor<4x6xf32>
