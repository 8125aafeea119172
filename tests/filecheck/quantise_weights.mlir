// RUN: dovetail-opt %s -p 'quantise-weights{type=i4 block=32}' | filecheck %s
// Over text alone, without the values of weights, nothing is quantised.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {
    %w = "nn.weight"() {weight = "w"} : () -> tensor<8x6xf32>
    %0 = "nn.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    func.return %0 : tensor<4x6xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {
// CHECK-NEXT: %w = "nn.weight"() {weight = "w"} : () -> tensor<8x6xf32>
// CHECK-NEXT: %0 = "nn.matmul"(%x, %w) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CHECK-NEXT: func.return %0 : tensor<4x6xf32>
