// RUN: dovetail-opt %s -p infer-shapes | filecheck %s
// Types that are right stay.

builtin.module {
  func.func @main(%x: tensor<4x8xf32>) -> tensor<2x16xf32> {
    %0 = "nn.reshape"(%x) : (tensor<4x8xf32>) -> tensor<2x16xf32>
    %1 = "nn.relu"(%0) : (tensor<2x16xf32>) -> tensor<2x16xf32>
    func.return %1 : tensor<2x16xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4x8xf32>) -> tensor<2x16xf32> {
// CHECK-NEXT: %0 = "nn.reshape"(%x) : (tensor<4x8xf32>) -> tensor<2x16xf32>
// CHECK-NEXT: %1 = "nn.relu"(%0) : (tensor<2x16xf32>) -> tensor<2x16xf32>
// CHECK-NEXT: func.return %1 : tensor<2x16xf32>
