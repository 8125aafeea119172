// RUN: dovetail-opt %s -p fuse-epilogue | filecheck %s
// Bias, residual and activation go with the product; not where the product leaves too.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>, %z: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>) {
    %w = "nn.weight"() {weight = "w"} : () -> tensor<8x6xf32>
    %0 = "nn.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    %b = "nn.weight"() {weight = "b"} : () -> tensor<6xf32>
    %1 = "nn.add"(%0, %b) : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
    %2 = "nn.add"(%1, %z) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
    %3 = "nn.gelu"(%2) : (tensor<4x6xf32>) -> tensor<4x6xf32>
    %u = "nn.weight"() {weight = "u"} : () -> tensor<8x6xf32>
    %4 = "nn.matmul"(%x, %u) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    %5 = "nn.relu"(%4) : (tensor<4x6xf32>) -> tensor<4x6xf32>
    func.return %3, %5, %4 : tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>, %z: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>) {
// CHECK-NEXT: %w = "nn.weight"() {weight = "w"} : () -> tensor<8x6xf32>
// CHECK-NEXT: %b = "nn.weight"() {weight = "b"} : () -> tensor<6xf32>
// CHECK-NEXT: %0 = "nn.fusion"(%x, %w, %b, %z) ({
// CHECK-NEXT: ^bb0(%x_1: tensor<4x8xf32>, %w_1: tensor<8x6xf32>, %b_1: tensor<6xf32>, %z_1: tensor<4x6xf32>):
// CHECK-NEXT: %1 = "nn.matmul"(%x_1, %w_1) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %2 = "nn.add"(%1, %b_1) : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %3 = "nn.add"(%2, %z_1) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %4 = "nn.gelu"(%3) : (tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: }) : (tensor<4x8xf32>, tensor<8x6xf32>, tensor<6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %u = "nn.weight"() {weight = "u"} : () -> tensor<8x6xf32>
// CHECK-NEXT: %1 = "nn.matmul"(%x, %u) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: %2 = "nn.relu"(%1) : (tensor<4x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: func.return %0, %2, %1 : tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>
