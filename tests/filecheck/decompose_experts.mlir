// RUN: dovetail-opt %s -p decompose-experts | filecheck %s
// A mixture of experts in searches, gathers, products and sums.

builtin.module {
  func.func @main(%x: tensor<6x16xf32>, %l: tensor<6x4xf32>, %w: tensor<4x16x8xf32>) -> tensor<6x8xf32> {
    %0, %1 = "nn.route"(%l) {score = "softmax", normalise = 1 : i64, scale = 1.000000e+00 : f64, groups = 1 : i64, top_groups = 1 : i64, group_best = 1 : i64, k = 2 : i64} : (tensor<6x4xf32>) -> (tensor<6x2xf32>, tensor<6x2xi64>)
    %2, %3, %4 = "nn.dispatch"(%x, %1) {count = 4 : i64} : (tensor<6x16xf32>, tensor<6x2xi64>) -> (tensor<12x16xf32>, tensor<12xi64>, tensor<4xi64>)
    %5 = "nn.grouped_matmul"(%2, %w, %4) {transpose_b = 0 : i64} : (tensor<12x16xf32>, tensor<4x16x8xf32>, tensor<4xi64>) -> tensor<12x8xf32>
    %6 = "nn.combine"(%5, %0, %3) : (tensor<12x8xf32>, tensor<6x2xf32>, tensor<12xi64>) -> tensor<6x8xf32>
    func.return %6 : tensor<6x8xf32>
  }
}

// CHECK:      func.func @main(%x: tensor<6x16xf32>, %l: tensor<6x4xf32>, %w: tensor<4x16x8xf32>) -> tensor<6x8xf32> {
// CHECK-NEXT: %0 = "nn.softmax"(%l) {axis = 1 : i64} : (tensor<6x4xf32>) -> tensor<6x4xf32>
// CHECK-NEXT: %1, %2 = "nn.top_k"(%0) {k = 2 : i64, axis = 1 : i64} : (tensor<6x4xf32>) -> (tensor<6x2xf32>, tensor<6x2xi64>)
// CHECK-NEXT: %3 = "nn.gather_elements"(%0, %2) {axis = 1 : i64} : (tensor<6x4xf32>, tensor<6x2xi64>) -> tensor<6x2xf32>
// CHECK-NEXT: %4 = "nn.reduce"(%3) {kind = "sum", axes = array<i64: 1>} : (tensor<6x2xf32>) -> tensor<6x1xf32>
// CHECK-NEXT: %5 = "nn.div"(%3, %4) : (tensor<6x2xf32>, tensor<6x1xf32>) -> tensor<6x2xf32>
// CHECK-NEXT: %6 = "nn.fill"() {value = 1.000000e+00 : f64} : () -> tensor<f32>
// CHECK-NEXT: %7 = "nn.mul"(%5, %6) : (tensor<6x2xf32>, tensor<f32>) -> tensor<6x2xf32>
// CHECK-NEXT: %8 = "nn.reshape"(%2) : (tensor<6x2xi64>) -> tensor<12xi64>
// CHECK-NEXT: %9 = "nn.neg"(%8) : (tensor<12xi64>) -> tensor<12xi64>
// CHECK-NEXT: %10, %11 = "nn.top_k"(%9) {k = 12 : i64, axis = 0 : i64} : (tensor<12xi64>) -> (tensor<12xi64>, tensor<12xi64>)
// CHECK-NEXT: %12 = "nn.fill"() {value = 2.000000e+00 : f64} : () -> tensor<i64>
// CHECK-NEXT: %13 = "nn.div"(%11, %12) : (tensor<12xi64>, tensor<i64>) -> tensor<12xi64>
// CHECK-NEXT: %14 = "nn.reshape"(%8) : (tensor<12xi64>) -> tensor<1x12xi64>
// CHECK-NEXT: %15 = "nn.iota"() {axis = 0 : i64} : () -> tensor<4x1xi64>
// CHECK-NEXT: %16 = "nn.equal"(%14, %15) : (tensor<1x12xi64>, tensor<4x1xi64>) -> tensor<4x12xi1>
// CHECK-NEXT: %17 = "nn.cast"(%16) : (tensor<4x12xi1>) -> tensor<4x12xi64>
// CHECK-NEXT: %18 = "nn.reduce"(%17) {kind = "sum", axes = array<i64: 1>} : (tensor<4x12xi64>) -> tensor<4x1xi64>
// CHECK-NEXT: %19 = "nn.reshape"(%18) : (tensor<4x1xi64>) -> tensor<4xi64>
// CHECK-NEXT: %20 = "nn.gather"(%x, %13) {axis = 0 : i64} : (tensor<6x16xf32>, tensor<12xi64>) -> tensor<12x16xf32>
// CHECK-NEXT: %21 = "nn.matmul"(%20, %w) : (tensor<12x16xf32>, tensor<4x16x8xf32>) -> tensor<4x12x8xf32>
// CHECK-NEXT: %22 = "nn.cum_sum"(%19) {exclusive = 0 : i64, reverse = 0 : i64, axis = 0 : i64} : (tensor<4xi64>) -> tensor<4xi64>
// CHECK-NEXT: %23 = "nn.sub"(%22, %19) : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>
// CHECK-NEXT: %24 = "nn.reshape"(%23) : (tensor<4xi64>) -> tensor<4x1x1xi64>
// CHECK-NEXT: %25 = "nn.reshape"(%22) : (tensor<4xi64>) -> tensor<4x1x1xi64>
// CHECK-NEXT: %26 = "nn.iota"() {axis = 1 : i64} : () -> tensor<1x12x1xi64>
// CHECK-NEXT: %27 = "nn.less_equal"(%24, %26) : (tensor<4x1x1xi64>, tensor<1x12x1xi64>) -> tensor<4x12x1xi1>
// CHECK-NEXT: %28 = "nn.less"(%26, %25) : (tensor<1x12x1xi64>, tensor<4x1x1xi64>) -> tensor<4x12x1xi1>
// CHECK-NEXT: %29 = "nn.and"(%27, %28) : (tensor<4x12x1xi1>, tensor<4x12x1xi1>) -> tensor<4x12x1xi1>
// CHECK-NEXT: %30 = "nn.fill"() {value = 0.000000e+00 : f64} : () -> tensor<f32>
// CHECK-NEXT: %31 = "nn.where"(%29, %21, %30) : (tensor<4x12x1xi1>, tensor<4x12x8xf32>, tensor<f32>) -> tensor<4x12x8xf32>
// CHECK-NEXT: %32 = "nn.reduce"(%31) {kind = "sum", axes = array<i64: 0>} : (tensor<4x12x8xf32>) -> tensor<1x12x8xf32>
// CHECK-NEXT: %33 = "nn.reshape"(%32) : (tensor<1x12x8xf32>) -> tensor<12x8xf32>
// CHECK-NEXT: %34 = "nn.neg"(%11) : (tensor<12xi64>) -> tensor<12xi64>
// CHECK-NEXT: %35, %36 = "nn.top_k"(%34) {k = 12 : i64, axis = 0 : i64} : (tensor<12xi64>) -> (tensor<12xi64>, tensor<12xi64>)
// CHECK-NEXT: %37 = "nn.gather"(%33, %36) {axis = 0 : i64} : (tensor<12x8xf32>, tensor<12xi64>) -> tensor<12x8xf32>
// CHECK-NEXT: %38 = "nn.reshape"(%37) : (tensor<12x8xf32>) -> tensor<6x2x8xf32>
// CHECK-NEXT: %39 = "nn.reshape"(%7) : (tensor<6x2xf32>) -> tensor<6x2x1xf32>
// CHECK-NEXT: %40 = "nn.mul"(%38, %39) : (tensor<6x2x8xf32>, tensor<6x2x1xf32>) -> tensor<6x2x8xf32>
// CHECK-NEXT: %41 = "nn.reduce"(%40) {kind = "sum", axes = array<i64: 1>} : (tensor<6x2x8xf32>) -> tensor<6x1x8xf32>
// CHECK-NEXT: %42 = "nn.reshape"(%41) : (tensor<6x1x8xf32>) -> tensor<6x8xf32>
// CHECK-NEXT: func.return %42 : tensor<6x8xf32>
