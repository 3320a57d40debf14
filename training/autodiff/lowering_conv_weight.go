package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// layer is what the choice of a lowering of dW looks at: the window, and the sizes of x [N,C,...] and dy [N,O,...].
type layer struct {
	window
	single bool  // the batch is known to be one
	c, o   int64 // channels
}

// weightLowering is one way to write the cotangent of a convolution's weight in standard operators. x comes with its padding
// made explicit; the result holds [O,C/group,...] in that order, in any shape.
type weightLowering struct {
	name string
	fits func(l layer) bool          // it can be written
	pays [devices]func(l layer) bool // it is the fastest on the device, among those further down; nil: never
	emit func(b *Builder, x, dy *onnx.Value, l layer) *onnx.Value
}

// weightLowerings lists them; the first that fits and pays is taken. Milliseconds of processor time on ONNX Runtime 1.28,
// one thread (BenchmarkWeightLowerings measures them anew):
//
//	batch  channels       kernel  stride  side  columns  matrix  rows  tiles  taps  exchanged
//	64     1 to 8         5x5     1       28    2.35     2.74    9.7          8.2   2.15
//	64     1 to 32        3x3     1       26    3.43     3.23    19.3         9.7   2.72
//	64     8 to 16        5x5     1       14    3.86     6.97    6.9          5.4   5.1
//	32     3 to 16        3x3     1       32    1.36     1.70    4.1          2.34  2.36
//	8      3 to 32        3x3     2       112   14.3     16.9                 31.8  17.8
//	32     16 to 16       3x3     1       28    4.60     8.45    4.56         3.09  8.8
//	32     64 to 64       3x3     1       28    55.7     57.3    48.7         47.0  70.7
//	64     32 to 64       3x3     1       24    61.9     59.8    56.6         51.3  64.3
//	64     64 to 32       3x3     1       24    88.9     90.1    52.2         82.9  93.7
//	32     64 to 128      3x3     2       14    36.1     41.2                 31.5  33.4
//	32     128 to 128     3x3     1       7     12.5     10.5    13.5         9.3   13.8
//	32     128 to 256     3x3     2       7     35.4     22.1                 30.8  25.4
//	16     128 to 128     3x3     1       4     13.4     3.1                  12.4
//	4      256 to 256     3x3     1       14    24.2     20.0                 24.9
//	1      3 to 16        3x3     1       64    0.35     0.31    0.57         0.63
//	1      64 to 64       5x5     1       32                     4.1   4.3    5.3
//	1      32 to 16       5x5     1       128                    13.8  12.4   35
//	1      32 to 16       3x3     1       512                    95    70     178
//	8      144 depthwise  3x3     1       56    68.9                          46.7  110
//	8      96 depthwise   3x3     2       56    109                           82.6  76.7
//
// Many channels on small pictures, 3x3 and stride 1, in another sitting:
//
//	batch  channels    side  winograd  columns  matrix  rows  taps  exchanged
//	16     128 to 128  4     1.2       6.3      2.3     4.3   5.5   3.0
//	32     128 to 128  7     5.0       8.1      7.3     13.1  6.7   11.1
//	128    128 to 128  8     21.2      46.7     41.3    55.2  45.5  74.0
//	128    128 to 128  16    107       158      157     153   169   285
//	32     256 to 256  14    55        107      92      104   104   138
//	128    256 to 256  8     75        151      130     184   172   248
//	32     512 to 512  7     76        123      90      145   133   138
//	128    512 to 512  4     65        222      143     280   243   236
//
// Microseconds on an NVIDIA H100 80GB HBM3 by the CUDA provider of ONNX Runtime 1.31.1, TF32 off; the least
// that any small graph takes is 40. Few large nodes win there: exchanged up to side 32 at stride 1, rows and matrix beyond:
//
//	batch  channels      kernel  stride  side  columns  matrix  rows  tiles  taps  exchanged
//	64     32 to 64      3x3     1       24    245      227     252          313   123
//	64     64 to 32      3x3     1       24    336      305     230          366   136
//	64     1 to 8        5x5     1       28    372      316     181          590   90
//	64     8 to 16       5x5     1       14    383      315     204          784   117
//	32     3 to 16       3x3     1       32    208      150     185          368   153
//	8      3 to 32       3x3     2       112   1005     180                  2300  3980
//	32     16 to 16      3x3     1       28    193      180     186          290   95
//	32     64 to 64      3x3     1       28    324      263     255          404   124
//	32     64 to 128     3x3     2       14    307      168                  432   308
//	32     128 to 256    3x3     2       7     202      159                  281   169
//	16     128 to 128    3x3     1       4     272      136     138          341   82
//	4      256 to 256    3x3     1       14    201      220     236          437   159
//	1      3 to 16       3x3     1       64    181      134     186   485    343   305
//	1      64 to 64      5x5     1       32    299      268     172   342    732   152
//	1      32 to 16      5x5     1       128   348      336     201   1160   559   716
//	1      32 to 16      3x3     1       512   1033     882     598   2541   1222  11326
//	8      144 depthwise 3x3     1       56                                  454
//	8      96 depthwise  3x3     2       56                                  368
//	8      256, by 32    3x3     1       14                                  278
//
// There blocks take 102 for a batch of 1, 16 to 16 channels, 4x4 at stride 2 and side 64, where columns take 229; the product
// takes 84 for a batch of 32, 64 to 256 channels, side 14.
//
// What they hold at once, 32 to 16 channels and side 512, where x is 33.5 MB: rows 136 MiB for 3x3 and 201 MiB for 5x5, tiles
// 26 and 33, taps 34.
//
// Exchanging batch and channels is what remains where sizes are unknown. Not kept: for depthwise convolutions, the sum over
// dY times what each tap sees takes 1.5 times as long as products from 28x28 on; going through the batch image by image in a
// Scan takes 0.75 to 1.4 times as long as taps; gathering all taps of a large image takes three times as long as rows.
var weightLowerings = []weightLowering{
	//                      CPU           CUDA
	{"product", fitsProduct, choice{always, always}, (*Builder).weightByProduct},
	{"winograd", fitsWinograd, choice{paysWinograd, nil}, (*Builder).weightByWinograd},
	{"columns", fitsColumns, choice{paysColumns, nil}, (*Builder).weightByColumns},
	{"matrix", fitsColumns, choice{paysMatrix, paysMatrixOnCUDA}, (*Builder).weightByMatrix},
	{"blocks", func(l layer) bool { return fitsBlocks(l.window) }, choice{paysBlocks, paysBlocks}, (*Builder).weightByBlocks},
	{"tiles", fitsTiles, choice{paysTiles, nil}, (*Builder).weightByTiles},
	{"rows", fitsRows, choice{paysRows, paysRowsOnCUDA}, (*Builder).weightByRows},
	{"taps", fitsTaps, choice{always, paysTapsOnCUDA}, (*Builder).weightByTaps},
	{"exchanged", fitsExchanged, choice{always, always}, (*Builder).weightByExchange},
}

// choice is a predicate for each device.
type choice = [devices]func(l layer) bool

func always(layer) bool { return true }

// paysTapsOnCUDA: groups have no other form, and of unknown sizes the exchanged form may be ten times slower.
func paysTapsOnCUDA(l layer) bool { return l.group > 1 || !l.sized() }

func paysColumns(l layer) bool { return l.c <= 4 || !l.single && l.c*l.places() <= 2048 }

func paysBlocks(l layer) bool { return l.single }

// exchangedTo is the side up to which exchanging batch and channels is the fastest on CUDA.
const exchangedTo = 32

func exchangesOnCUDA(l layer) bool {
	return fitsExchanged(l) && l.sized() && all(l.strides, 1) && slices.Max(l.out) <= exchangedTo
}

// paysRowsOnCUDA: with few channels and a small kernel the copies of dY cost more than those of X.
func paysRowsOnCUDA(l layer) bool {
	return !exchangesOnCUDA(l) && (l.c > 4 || l.taps() > 9)
}

// paysMatrixOnCUDA: what rows do not fit, or are slower for.
func paysMatrixOnCUDA(l layer) bool {
	return !exchangesOnCUDA(l) && !(l.single && fitsBlocks(l.window)) && !(fitsRows(l) && paysRowsOnCUDA(l))
}

// convWeight is the cotangent of the weight w [O,C/group,...] of the convolution from x [N,C,...] to dy [N,O,...].
func (b *Builder) convWeight(x, dy, w *onnx.Value, win window) *onnx.Value {
	dims, ok := b.sizes(w)
	if !ok {
		return nil
	}
	batch := x.Type.Shape[0]
	l := layer{window: win, single: batch.Known() && batch.Size == 1, c: dims[1] * win.group, o: dims[0]}
	for _, form := range weightLowerings {
		if pays := form.pays[b.options.Device]; pays != nil && form.fits(l) && pays(l) {
			return b.Reshape(form.emit(b, b.padded(x, win), dy, l), dims...)
		}
	}
	b.Fail("the weight's gradient of a convolution of %d groups with strides %v wants the spatial sizes of %s, which is %v: fix them",
		win.group, win.strides, label(x), x.Type.Shape)
	return nil
}

func fitsProduct(l layer) bool {
	return l.group == 1 && l.taps() == 1 && (l.sized() || all(l.strides, 1))
}

// weightByProduct: a kernel of one tap is a matrix, dW = sum_n dY_n X_n'.
func (b *Builder) weightByProduct(x, dy *onnx.Value, l layer) *onnx.Value {
	return b.outer(dy, b.tapsOf(x, l)[0], l)
}

// outer is sum_n U_n V_n' for u [N,I,...] and v [N,J,...], whose further dimensions are one: [I,J].
func (b *Builder) outer(u, v *onnx.Value, l layer) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	if s, t := u.Type.Shape[1], v.Type.Shape[1]; l.single && s.Known() && t.Known() {
		return b.Gemm(b.Reshape(u, s.Size, -1), b.Reshape(v, t.Size, -1), nil, op.GemmAttrs{TransB: true})
	}
	return b.ReduceSum(b.MatMul(b.Reshape(u, 0, 0, -1), b.swapLast(b.Reshape(v, 0, 0, -1))), false, 0)
}

// tapsOf lists what each tap sees of the padded x, [N,C,...] of dy's sizes, the last axis outermost: the slices along it,
// which step through memory, are made once, and the others of their results.
func (b *Builder) tapsOf(x *onnx.Value, l layer) []*onnx.Value {
	parts := []*onnx.Value{x}
	for axis := len(l.kernel) - 1; axis >= 0; axis-- {
		next := make([]*onnx.Value, 0, int64(len(parts))*l.kernel[axis])
		for _, p := range parts {
			for tap := range l.kernel[axis] {
				v := p
				if l.kernel[axis] > 1 || l.strides[axis] > 1 || l.rests[axis] != 0 {
					v = b.Slice(p, l.seen(axis, tap))
				}
				next = append(next, v)
			}
		}
		parts = next
	}
	return parts
}

// inOrder puts v [taps,rest], its taps in the order of tapsOf, into the order [rest,taps] of a weight.
func (b *Builder) inOrder(v *onnx.Value, rest int64, l layer) *onnx.Value {
	dims, perm := make([]int64, 0, len(l.kernel)+1), make([]int64, 0, len(l.kernel)+1)
	for axis := len(l.kernel) - 1; axis >= 0; axis-- {
		dims, perm = append(dims, l.kernel[axis]), append(perm, int64(axis))
	}
	perm = append([]int64{int64(len(l.kernel))}, perm...)
	return b.Transpose(b.Reshape(v, append(dims, rest)...), perm...)
}

func fitsTaps(l layer) bool { return l.sized() || all(l.strides, 1) }

// weightByTaps makes one product a tap: dW[:,:,i] = sum_n dY_n X_ni', X_i the elements of X that the tap sees.
func (b *Builder) weightByTaps(x, dy *onnx.Value, l layer) *onnx.Value {
	d := b.Reshape(dy, 0, l.group, l.o/l.group, -1)
	products := make([]*onnx.Value, 0, l.taps())
	for _, seen := range b.tapsOf(x, l) {
		p := b.MatMul(d, b.swapLast(b.Reshape(seen, 0, l.group, l.c/l.group, -1))) // [N,G,O/G,C/G]
		if !l.single {
			p = b.ReduceSum(p, true, 0)
		}
		products = append(products, p)
	}
	if len(products) == 1 {
		return products[0]
	}
	return b.inOrder(b.Concat(0, products...), l.o*l.c/l.group, l)
}

func fitsColumns(l layer) bool { return l.group == 1 && l.sized() }

// weightByColumns makes one product for each tap of the last axis, with what the taps of the other axes see stacked.
func (b *Builder) weightByColumns(x, dy *onnx.Value, l layer) *onnx.Value {
	taps := b.tapsOf(x, l)
	last := l.kernel[len(l.kernel)-1]
	each := len(taps) / int(last)
	var products []*onnx.Value
	for j := range int(last) {
		stack := taps[j*each]
		if each > 1 {
			stack = b.Concat(1, taps[j*each:(j+1)*each]...) // [N,taps C,...]
		}
		p := b.outer(dy, stack, l) // [O,taps C]
		products = append(products, b.Reshape(p, 1, l.o, int64(each), l.c))
	}
	p := products[0]
	if last > 1 {
		p = b.Concat(0, products...)
	}
	return b.inOrder(b.Reshape(b.Transpose(p, 0, 2, 1, 3), l.taps(), l.o*l.c), l.o*l.c, l)
}

// paysMatrix: a product for each image is short where images are small and channels many.
func paysMatrix(l layer) bool {
	return !l.single && (l.c >= 128 && l.places() <= 64 || l.c >= 256 && l.places() <= 256)
}

// weightByMatrix makes one product for all taps and the whole batch, of matrices [O, N P] and [N P, taps C].
func (b *Builder) weightByMatrix(x, dy *onnx.Value, l layer) *onnx.Value {
	stack := b.Reshape(b.Concat(0, b.tapsOf(b.batchSecond(x), l)...), l.taps()*l.c, -1)
	p := b.Gemm(b.Reshape(b.batchSecond(dy), l.o, -1), stack, nil, op.GemmAttrs{TransB: true})
	return b.inOrder(b.Transpose(b.Reshape(p, l.o, l.taps(), l.c), 1, 0, 2), l.o*l.c, l)
}

// batchSecond exchanges the first two dimensions.
func (b *Builder) batchSecond(v *onnx.Value) *onnx.Value {
	rank, ok := b.rank(v)
	if !ok {
		return nil
	}
	return b.Transpose(v, append([]int64{1, 0}, spatialAxes(rank)...)...)
}

func fitsExchanged(l layer) bool { return l.group == 1 }

// weightByExchange: with batch and channels exchanged dW is a convolution of X by dY, its strides the dilations of the
// other and its dilations the strides. Elements of X behind the last window may give it more taps than there are.
func (b *Builder) weightByExchange(x, dy *onnx.Value, l layer) *onnx.Value {
	d := b.Conv(b.batchSecond(x), b.batchSecond(dy), nil, op.ConvAttrs{Strides: l.dilations, Dilations: l.strides})
	var cut []op.SliceSpec
	for i, k := range l.kernel {
		if l.rests[i] == unsized || l.rests[i] >= l.dilations[i] {
			cut = append(cut, op.SliceSpec{Axis: int64(i + 2), Start: 0, End: k})
		}
	}
	if len(cut) > 0 {
		d = b.Slice(d, cut...)
	}
	return b.batchSecond(d)
}
