// RUN: dovetail-opt %s -p fuse-conv-batch-norm | filecheck %s
// A batch norm goes into its convolution; not where another op uses what it normalises.

builtin.module {
  func.func @main(%x : tensor<1x2x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) {
    %w = "nn.weight"() {weight = "w"} : () -> tensor<8x2x3x3xf32>
    %b = "nn.weight"() {weight = "b"} : () -> tensor<8xf32>
    %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
    %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
    %mean = "nn.weight"() {weight = "mean"} : () -> tensor<8xf32>
    %variance = "nn.weight"() {weight = "variance"} : () -> tensor<8xf32>
    %conv = "nn.conv"(%x, %w, %b) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %norm = "nn.batch_norm"(%conv, %scale, %bias, %mean, %variance) {epsilon = 1.0e-05 : f64} : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %other = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>) -> tensor<1x8x4x4xf32>
    %kept = "nn.batch_norm"(%other, %scale, %bias, %mean, %variance) {epsilon = 1.0e-05 : f64} : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
    %sum = "nn.add"(%kept, %other) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
    func.return %norm, %sum : tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<1x2x4x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) {
// CHECK-NEXT: %w = "nn.weight"() {weight = "w"} : () -> tensor<8x2x3x3xf32>
// CHECK-NEXT: %b = "nn.weight"() {weight = "b"} : () -> tensor<8xf32>
// CHECK-NEXT: %scale = "nn.weight"() {weight = "scale"} : () -> tensor<8xf32>
// CHECK-NEXT: %bias = "nn.weight"() {weight = "bias"} : () -> tensor<8xf32>
// CHECK-NEXT: %mean = "nn.weight"() {weight = "mean"} : () -> tensor<8xf32>
// CHECK-NEXT: %variance = "nn.weight"() {weight = "variance"} : () -> tensor<8xf32>
// CHECK-NEXT: %0 = "nn.fill"() {value = 1.000000e-05 : f64} : () -> tensor<f32>
// CHECK-NEXT: %1 = "nn.add"(%variance, %0) : (tensor<8xf32>, tensor<f32>) -> tensor<8xf32>
// CHECK-NEXT: %2 = "nn.rsqrt"(%1) : (tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %gain = "nn.mul"(%scale, %2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %3 = "nn.mul"(%mean, %gain) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %shift = "nn.sub"(%bias, %3) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %4 = "nn.mul"(%b, %gain) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %shift_1 = "nn.add"(%4, %shift) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK-NEXT: %5 = "nn.reshape"(%gain) : (tensor<8xf32>) -> tensor<8x1x1x1xf32>
// CHECK-NEXT: %kernel = "nn.mul"(%w, %5) : (tensor<8x2x3x3xf32>, tensor<8x1x1x1xf32>) -> tensor<8x2x3x3xf32>
// CHECK-NEXT: %norm = "nn.conv"(%x, %kernel, %shift_1) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT: %other = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<8x2x3x3xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT: %kept = "nn.batch_norm"(%other, %scale, %bias, %mean, %variance) {epsilon = 1.000000e-05 : f64} : (tensor<1x8x4x4xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT: %sum = "nn.add"(%kept, %other) : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>) -> tensor<1x8x4x4xf32>
// CHECK-NEXT: func.return %norm, %sum : tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>
