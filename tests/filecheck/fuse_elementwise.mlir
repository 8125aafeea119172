// RUN: dovetail-opt %s -p fuse-elementwise | filecheck %s
// A chain, and one with a comparison and a choice; a small producer stays by itself.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
    %0 = "nn.mul"(%x, %y) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %1 = "nn.relu"(%0) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %2 = "nn.less"(%x, %y) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xi1>
    %3 = "nn.exp"(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %4 = "nn.where"(%2, %3, %y) : (tensor<4x8xi1>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %w = "nn.weight"() {weight = "w"} : () -> tensor<8xf32>
    %5 = "nn.exp"(%w) : (tensor<8xf32>) -> tensor<8xf32>
    %6 = "nn.add"(%x, %5) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
    func.return %1, %4, %6 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
// CHECK-NEXT: %0 = "nn.fused_elementwise"(%x, %y) {steps = [#nn.step<"mul", array<i64: 0, 1>>, #nn.step<"relu", array<i64: 2>>]} : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %1 = "nn.fusion"(%x, %y) ({
// CHECK-NEXT: ^bb0(%x_1: tensor<4x8xf32>, %y_1: tensor<4x8xf32>):
// CHECK-NEXT: %2 = "nn.less"(%x_1, %y_1) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xi1>
// CHECK-NEXT: %3 = "nn.exp"(%x_1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %4 = "nn.where"(%2, %3, %y_1) : (tensor<4x8xi1>, tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: }) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: %w = "nn.weight"() {weight = "w"} : () -> tensor<8xf32>
// CHECK-NEXT: %2 = "nn.exp"(%w) : (tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %3 = "nn.add"(%x, %2) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK-NEXT: func.return %0, %1, %3 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
