// RUN: dovetail-opt %s -p fuse-horizontal | filecheck %s
// Two products of one input with weights become one; not the third, whose weights come from the input.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x6xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
    %wq = "nn.weight"() {weight = "wq"} : () -> tensor<8x6xf32>
    %0 = "nn.matmul"(%x, %wq) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    %wk = "nn.weight"() {weight = "wk"} : () -> tensor<8x4xf32>
    %1 = "nn.matmul"(%x, %wk) : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
    %2 = "nn.reshape"(%x) : (tensor<4x8xf32>) -> tensor<8x4xf32>
    %3 = "nn.matmul"(%x, %2) : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
    func.return %0, %1, %3 : tensor<4x6xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>) -> (tensor<4x6xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
// CHECK-NEXT: %wq = "nn.weight"() {weight = "wq"} : () -> tensor<8x6xf32>
// CHECK-NEXT: %wk = "nn.weight"() {weight = "wk"} : () -> tensor<8x4xf32>
// CHECK-NEXT: %wq_wk = "nn.concat"(%wq, %wk) {axis = 1 : i64} : (tensor<8x6xf32>, tensor<8x4xf32>) -> tensor<8x10xf32>
// CHECK-NEXT: %0, %1 = "nn.fusion"(%x, %wq_wk) ({
// CHECK-NEXT: ^bb0(%x_1: tensor<4x8xf32>, %wq_wk_1: tensor<8x10xf32>):
// CHECK-NEXT: %2 = "nn.matmul"(%x_1, %wq_wk_1) : (tensor<4x8xf32>, tensor<8x10xf32>) -> tensor<4x10xf32>
// CHECK-NEXT: %3, %4 = "nn.split"(%2) {axis = 1 : i64, sizes = array<i64: 6, 4>} : (tensor<4x10xf32>) -> (tensor<4x6xf32>, tensor<4x4xf32>)
// CHECK-NEXT: }) : (tensor<4x8xf32>, tensor<8x10xf32>) -> (tensor<4x6xf32>, tensor<4x4xf32>)
// CHECK-NEXT: %2 = "nn.reshape"(%x) : (tensor<4x8xf32>) -> tensor<8x4xf32>
// CHECK-NEXT: %3 = "nn.matmul"(%x, %2) : (tensor<4x8xf32>, tensor<8x4xf32>) -> tensor<4x4xf32>
// CHECK-NEXT: func.return %0, %1, %3 : tensor<4x6xf32>, tensor<4x4xf32>, tensor<4x4xf32>
