package kernels

import (
	"slices"

	"graft/onnx"
)

// kernel is what is known of an operator's kernels: the opsets of the default domain that they are for, from the first on up to
// the one, if any, at which the operator changed and no kernel is listed; newest is that of the last kernel.
type kernel struct {
	op                    string
	first, newest, behind int64
	types                 []onnx.DataType // of the tensors that op.Schema.TypedBy speaks of
}

func of(types ...onnx.DataType) []onnx.DataType { return types }

// Sets of types.
var (
	boolean    = of(onnx.Bool)
	real       = of(onnx.Float, onnx.Double, onnx.Float16)
	realOrB    = slices.Concat(real, of(onnx.BFloat16))
	arithmetic = slices.Concat(real, of(onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64))
	numbers    = slices.Concat(arithmetic, of(onnx.BFloat16, onnx.Int8, onnx.Int16, onnx.Uint8, onnx.Uint16))
	anything   = slices.Concat(numbers, boolean)
)

// cuda lists the kernels of the CUDA provider in the default domain. Opsets are those that the library of release 1.31.1 registers
// (testdata/peers/cuda_kernels.py reads them); types are those of the newest kernel in ONNX Runtime's own
// docs/OperatorKernels.md at commit 001d12d2623f, 4 and 8 bit floats and 4 bit integers left out, and float alone for
// DeformConv, LpNormalization and NonMaxSuppression, which that page has not yet. A kernel without an end holds, as ONNX
// Runtime chooses, for the very version of the operator that it begins with. Operators that are not here have none: their
// nodes run on the CPU, and what they read and write is copied.
var cuda = []kernel{
	{"Abs", 6, 13, 0, numbers},
	{"Add", 7, 14, 0, numbers},
	{"And", 7, 7, 0, boolean},
	{"ArgMax", 1, 13, 0, real},
	{"ArgMin", 1, 13, 0, real},
	{"Attention", 23, 24, 25, of(onnx.Float, onnx.Float16, onnx.BFloat16)},
	{"AveragePool", 7, 22, 0, realOrB},
	{"BatchNormalization", 7, 15, 0, real},
	{"Cast", 6, 25, 28, anything},
	{"Ceil", 6, 13, 0, real},
	{"Clip", 6, 13, 0, slices.Concat(real, of(onnx.Int64, onnx.Int8, onnx.Uint64, onnx.Uint8))},
	{"Compress", 9, 11, 28, anything},
	{"Concat", 4, 13, 0, anything},
	{"ConcatFromSequence", 11, 11, 0, anything},
	{"ConstantOfShape", 9, 25, 0, anything},
	{"Conv", 1, 22, 0, realOrB},
	{"ConvTranspose", 1, 22, 0, real},
	{"Cos", 7, 22, 0, real},
	{"CumSum", 11, 14, 0, arithmetic},
	{"DeformConv", 19, 22, 0, of(onnx.Float)},
	{"DepthToSpace", 1, 13, 28, real},
	{"DequantizeLinear", 10, 25, 28, of(onnx.Int8, onnx.Uint8)},
	{"Div", 7, 14, 0, numbers},
	{"Dropout", 7, 13, 22, realOrB},
	{"Einsum", 12, 12, 28, real},
	{"Elu", 6, 6, 22, real},
	{"Equal", 7, 19, 0, slices.Concat(arithmetic, boolean)},
	{"Erf", 9, 13, 0, realOrB},
	{"Exp", 6, 13, 0, realOrB},
	{"Expand", 8, 13, 0, anything},
	{"EyeLike", 9, 9, 22, of(onnx.Float, onnx.Double, onnx.Int32, onnx.Int64, onnx.Uint64)},
	{"Flatten", 1, 25, 0, anything},
	{"Floor", 6, 13, 0, real},
	{"GRU", 7, 22, 0, real},
	{"Gather", 1, 13, 0, anything},
	{"GatherElements", 11, 13, 0, anything},
	{"GatherND", 11, 13, 0, slices.Concat(realOrB, boolean, of(onnx.Int64))},
	{"Gelu", 20, 20, 0, realOrB},
	{"Gemm", 7, 13, 0, realOrB},
	{"GlobalAveragePool", 1, 22, 0, real},
	{"GlobalMaxPool", 1, 22, 0, real},
	{"Greater", 7, 13, 0, arithmetic},
	{"GreaterOrEqual", 12, 16, 0, arithmetic},
	{"GridSample", 16, 22, 0, of(onnx.Float)},
	{"HardSigmoid", 6, 22, 0, realOrB},
	{"HardSwish", 14, 22, 0, realOrB},
	{"Identity", 1, 25, 0, anything},
	{"If", 1, 25, 0, anything},
	{"InstanceNormalization", 6, 6, 22, real},
	{"IsInf", 10, 20, 0, realOrB},
	{"IsNaN", 9, 20, 0, realOrB},
	{"LRN", 1, 13, 0, real},
	{"LSTM", 7, 22, 0, real},
	{"LayerNormalization", 1, 17, 0, realOrB},
	{"LeakyRelu", 6, 16, 0, real},
	{"Less", 7, 13, 0, arithmetic},
	{"LessOrEqual", 12, 16, 0, arithmetic},
	{"Log", 6, 13, 0, real},
	{"LogSoftmax", 1, 13, 0, real},
	{"Loop", 1, 25, 0, anything},
	{"LpNormalization", 1, 22, 0, of(onnx.Float)},
	{"MatMul", 1, 13, 0, realOrB},
	{"MatMulInteger", 10, 10, 0, of(onnx.Int8)},
	{"Max", 6, 13, 0, slices.Concat(arithmetic, of(onnx.BFloat16))},
	{"MaxPool", 1, 12, 22, slices.Concat(real, of(onnx.Int8, onnx.Uint8))},
	{"Min", 6, 13, 0, slices.Concat(arithmetic, of(onnx.BFloat16))},
	{"Mod", 10, 13, 28, slices.Concat(arithmetic, of(onnx.BFloat16))},
	{"Mul", 7, 14, 0, numbers},
	{"Neg", 6, 13, 0, slices.Concat(realOrB, of(onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64))},
	{"NonMaxSuppression", 10, 11, 0, of(onnx.Float)},
	{"NonZero", 9, 13, 0, slices.Concat(boolean, of(onnx.Float, onnx.Float16, onnx.Int32, onnx.Int64, onnx.Uint8))},
	{"Not", 1, 1, 0, boolean},
	{"OneHot", 11, 11, 28, of(onnx.Float, onnx.Float16, onnx.Int64)},
	{"Or", 7, 7, 0, boolean},
	{"PRelu", 7, 16, 0, real},
	{"Pad", 2, 25, 0, slices.Concat(real, boolean)},
	{"Pow", 7, 15, 0, slices.Concat(realOrB, of(onnx.Int32, onnx.Int64))},
	{"QuantizeLinear", 10, 25, 28, of(onnx.Float, onnx.Float16)},
	{"RMSNormalization", 23, 23, 0, realOrB},
	{"RNN", 7, 22, 0, real},
	{"RandomNormal", 1, 22, 0, real},
	{"RandomNormalLike", 1, 22, 0, real},
	{"RandomUniform", 1, 22, 0, real},
	{"RandomUniformLike", 1, 22, 0, real},
	{"Range", 11, 27, 0, of(onnx.Float, onnx.Double, onnx.Int16, onnx.Int32, onnx.Int64)},
	{"Reciprocal", 6, 13, 0, real},
	{"ReduceL1", 1, 18, 0, slices.Concat(real, of(onnx.Int32))},
	{"ReduceL2", 1, 18, 0, slices.Concat(real, of(onnx.Int32))},
	{"ReduceLogSum", 1, 18, 28, real},
	{"ReduceLogSumExp", 1, 18, 28, real},
	{"ReduceMax", 1, 20, 0, slices.Concat(real, of(onnx.Int32, onnx.Int64))},
	{"ReduceMean", 1, 18, 0, slices.Concat(real, of(onnx.Int32))},
	{"ReduceMin", 1, 20, 0, slices.Concat(real, of(onnx.Int32, onnx.Int64, onnx.Int8, onnx.Uint8))},
	{"ReduceProd", 1, 18, 0, slices.Concat(real, of(onnx.Int32))},
	{"ReduceSum", 1, 13, 0, slices.Concat(realOrB, of(onnx.Int32, onnx.Int64))},
	{"ReduceSumSquare", 1, 18, 0, real},
	{"Relu", 6, 14, 0, realOrB},
	{"Reshape", 1, 25, 0, anything},
	{"Resize", 10, 19, 0, slices.Concat(real, of(onnx.Int32, onnx.Uint8))},
	{"ReverseSequence", 10, 10, 28, anything},
	{"RoiAlign", 10, 22, 0, of(onnx.Float, onnx.Double)},
	{"RotaryEmbedding", 23, 23, 0, of(onnx.Float, onnx.Float16, onnx.BFloat16)},
	{"Round", 11, 22, 0, real},
	{"Scan", 8, 25, 0, anything},
	{"Scatter", 9, 9, 11, anything},
	{"ScatterElements", 11, 18, 0, anything},
	{"ScatterND", 11, 18, 0, anything},
	{"Selu", 6, 6, 22, real},
	{"SequenceAt", 11, 11, 0, anything},
	{"SequenceConstruct", 11, 11, 0, anything},
	{"SequenceEmpty", 11, 11, 0, anything},
	{"SequenceErase", 11, 11, 0, anything},
	{"SequenceInsert", 11, 11, 0, anything},
	{"SequenceLength", 11, 11, 0, anything},
	{"Shape", 1, 25, 0, anything},
	{"Shrink", 9, 9, 0, numbers},
	{"Sigmoid", 6, 13, 0, realOrB},
	{"Sign", 13, 13, 0, numbers},
	{"Sin", 7, 22, 0, real},
	{"Size", 1, 25, 0, anything},
	{"Slice", 1, 13, 0, anything},
	{"Softmax", 1, 13, 0, realOrB},
	{"Softplus", 1, 22, 0, real},
	{"Softsign", 1, 22, 0, real},
	{"SpaceToDepth", 1, 13, 28, real},
	{"Split", 2, 18, 0, anything},
	{"Sqrt", 6, 13, 0, realOrB},
	{"Squeeze", 1, 25, 0, anything},
	{"Sub", 7, 14, 0, numbers},
	{"Sum", 6, 13, 0, realOrB},
	{"Tanh", 6, 13, 0, realOrB},
	{"TensorScatter", 24, 24, 0, anything},
	{"ThresholdedRelu", 1, 10, 22, real},
	{"Tile", 6, 13, 0, slices.Concat(realOrB, of(onnx.Int32, onnx.Int64))},
	{"TopK", 1, 24, 0, slices.Concat(real, of(onnx.Int32, onnx.Int64))},
	{"Transpose", 1, 25, 0, anything},
	{"Trilu", 14, 14, 0, anything},
	{"Unsqueeze", 1, 25, 0, anything},
	{"Upsample", 7, 9, 10, slices.Concat(real, of(onnx.Int32, onnx.Uint8))},
	{"Where", 9, 16, 0, slices.Concat(realOrB, of(onnx.Int32, onnx.Int64, onnx.Uint8))},
	{"Xor", 7, 7, 0, boolean},
}
