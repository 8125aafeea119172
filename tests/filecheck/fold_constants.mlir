// RUN: dovetail-opt %s -p fold-constants | filecheck %s
// Arithmetic on constants is done; what depends on an input stays.

builtin.module {
  func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
    %0 = "nn.fill"() {value = 2.000000e+00 : f64} : () -> tensor<f32>
    %1 = "nn.fill"() {value = 3.000000e+00 : f64} : () -> tensor<f32>
    %2 = "nn.add"(%0, %1) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %3 = "nn.mul"(%2, %x) : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
    %4 = "nn.fill"() {value = 9.000000e+00 : f64} : () -> tensor<4xf32>
    %5 = "nn.sqrt"(%4) : (tensor<4xf32>) -> tensor<4xf32>
    %6 = "nn.add"(%5, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    func.return %3, %6 : tensor<4xf32>, tensor<4xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
// CHECK-NEXT: %0 = "nn.fill"() {value = 5.000000e+00 : f64} : () -> tensor<f32>
// CHECK-NEXT: %1 = "nn.mul"(%0, %x) : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT: %2 = "nn.fill"() {value = 3.000000e+00 : f64} : () -> tensor<4xf32>
// CHECK-NEXT: %3 = "nn.add"(%2, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT: func.return %1, %3 : tensor<4xf32>, tensor<4xf32>
