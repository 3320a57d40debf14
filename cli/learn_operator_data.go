package cli

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"graft/onnx"
	"graft/training/dataset"
	"graft/training/signal"
)

// operatorData is what an operator is learned from and judged by.
type operatorData struct {
	from         string     // for messages
	side         int        // of patches; 0: signals
	train, noisy signal.Set // patches without their means where the operator is for such
	centred      bool
	tune         []noisyPicture // parts of the pictures that beta is tuned on
	test         []noisyPicture
	testSignals  noisySignals // none: Count 0
}

type noisyPicture struct {
	clean, noisy signal.Picture
}

type noisySignals struct{ clean, noisy signal.Set }

// count is "20000 patches".
func (d *operatorData) count() string {
	if d.side > 0 {
		return fmt.Sprintf("%d patches", d.train.Count)
	}
	return fmt.Sprintf("%d signals", d.train.Count)
}

// How much is learned from and judged by where the flags do not say.
const (
	usualPatches = 20_000
	usualSignals = 2000
	testSignals  = 1000
)

func (r *operatorRun) readData() (*operatorData, error) {
	if r.IsSet("signals") {
		return r.madeSignals()
	}
	path := r.Arg(0)
	if info, err := os.Stat(path); err == nil && (info.IsDir() || signal.IsPictureName(path) || dataset.IsPicture(path)) {
		return r.pictures(path)
	}
	if r.IsSet("patch") {
		return nil, misuse("--patch is for pictures, %s is no picture and no folder of some", quote(path))
	}
	return r.fileSignals(path)
}

func (r *operatorRun) madeSignals() (*operatorData, error) {
	kind, err := signal.FindKind(r.Text("signals"))
	if err != nil {
		return nil, misuse("--signals: %v", err)
	}
	d := &operatorData{from: r.Text("signals")}
	count := r.Int("samples")
	if count == 0 {
		count = usualSignals
	}
	c := signal.Config{Count: count, Length: r.Int("length"), Rate: r.Float("rate"), Seed: r.Common.Seed, Stream: "train"}
	if d.train, err = kind.Make(c); err != nil {
		return nil, misuse("--signals: %v", err)
	}
	c.Count, c.Stream = testSignals, "test"
	if d.testSignals.clean, err = kind.Make(c); err != nil {
		return nil, misuse("--signals: %v", err)
	}
	return d, r.addNoise(d)
}

func (r *operatorRun) fileSignals(path string) (*operatorData, error) {
	d := &operatorData{from: path}
	var err error
	if d.train, err = readSignals(path); err != nil {
		return nil, err
	}
	if d.train.Length < 2 {
		return nil, refused(path, fmt.Errorf("signals of one sample: 2 at least are wanted"))
	}
	if n := r.Int("samples"); n > d.train.Count {
		return nil, misuse("--samples %d: %s has %d signals", n, quote(path), d.train.Count)
	} else if n > 0 {
		d.train = d.train.Part(0, n)
	}
	if test := r.Text("test"); test != "" {
		if d.testSignals.clean, err = readSignals(test); err != nil {
			return nil, err
		}
		if n := d.testSignals.clean.Length; n != d.train.Length {
			return nil, refused(test, fmt.Errorf("signals of %d samples, those of %s have %d", n, path, d.train.Length))
		}
		if err := signal.ApartSignals(d.train, d.testSignals.clean); err != nil {
			return nil, refused(test, err)
		}
	}
	return d, r.addNoise(d)
}

// readSignals reads the rows of a file.
func readSignals(path string) (signal.Set, error) {
	m, err := dataset.ReadMatrix(path)
	if err != nil {
		return signal.Set{}, refused(path, err)
	}
	s := signal.Set{Count: int(m.Dims[0]), Length: int(m.Dims[1]), Values: onnx.Read[float64](m)}
	if err := s.Check(); err != nil {
		return signal.Set{}, refused(path, err)
	}
	return s, nil
}

func (r *operatorRun) addNoise(d *operatorData) error {
	d.noisy = d.train.WithNoise(r.sigma, r.Common.Seed, "train")
	if t := &d.testSignals; t.clean.Count > 0 {
		t.noisy = t.clean.WithNoise(r.sigma, r.Common.Seed, "test")
	}
	return nil
}

// pictures draws patches of the pictures that lie in a folder, or of one. All but filters see patches without their means, which are put
// back behind.
func (r *operatorRun) pictures(path string) (*operatorData, error) {
	d := &operatorData{from: path, side: r.Int("patch"), centred: r.Text("form") != "convolution"}
	train, err := readPictures(path)
	if err != nil {
		return nil, err
	}
	count := r.Int("samples")
	if count == 0 {
		count = usualPatches
	}
	if d.train, err = signal.Sample(train, d.side, count, r.Common.Seed, "train"); err != nil {
		return nil, refused(path, err)
	}
	d.noisy = d.train.WithNoise(r.sigma, r.Common.Seed, "train")
	if d.centred {
		if err := signal.CentrePairs(d.train, d.noisy); err != nil {
			return nil, err
		}
	}
	d.tune = r.noisyPictures(middles(train), "tune")
	if r.Text("test") == "" {
		return d, nil
	}
	test, err := readPictures(r.Text("test"))
	if err != nil {
		return nil, err
	}
	if err := signal.Apart(train, test); err != nil {
		return nil, refused(r.Text("test"), err)
	}
	for _, p := range test {
		if min(p.Height, p.Width) < d.side {
			return nil, refused(r.Text("test"), fmt.Errorf("picture %s of %dx%d pixels is smaller than a patch of %dx%d", p.Name, p.Width, p.Height, d.side, d.side))
		}
	}
	d.test = r.noisyPictures(test, "test")
	return d, nil
}

func readPictures(path string) ([]signal.Picture, error) {
	var list []signal.Picture
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		list, err = signal.ReadFolder(path)
	} else if err == nil {
		var p signal.Picture
		p, err = signal.ReadPicture(path)
		list = append(list, p)
	}
	if err != nil {
		return nil, refused(path, err)
	}
	for _, p := range list {
		for i, v := range p.Pix {
			if v-v != 0 {
				return nil, refused(filepath.Join(path, p.Name), fmt.Errorf("sample %d is %v", i, v))
			}
		}
	}
	return list, nil
}

// noisyPictures adds noise, another to each picture.
func (r *operatorRun) noisyPictures(list []signal.Picture, stream string) []noisyPicture {
	out := make([]noisyPicture, len(list))
	for i, p := range list {
		s := signal.Set{Count: 1, Length: len(p.Pix), Values: p.Pix}
		n := p
		n.Pix = s.WithNoise(r.sigma, r.Common.Seed, fmt.Sprint(stream, " ", i)).Values
		out[i] = noisyPicture{clean: p, noisy: n}
	}
	return out
}

// beta is tuned on the middles of so many pictures, evenly taken from all, of so many pixels a side.
const (
	tunedPictures = 8
	tunedSide     = 96
)

func middles(list []signal.Picture) []signal.Picture {
	n := min(len(list), tunedPictures)
	out := make([]signal.Picture, n)
	for i := range out {
		p := list[i*len(list)/n]
		h, w := min(p.Height, tunedSide), min(p.Width, tunedSide)
		y, x := (p.Height-h)/2, (p.Width-w)/2
		m := signal.Picture{Name: p.Name, Height: h, Width: w}
		for row := y; row < y+h; row++ {
			m.Pix = append(m.Pix, p.Pix[row*p.Width+x:row*p.Width+x+w]...)
		}
		out[i] = m
	}
	return out
}

// tensor is the noisy picture as a model takes it.
func (p *noisyPicture) tensor() *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, 1, 1, int64(p.noisy.Height), int64(p.noisy.Width))
	for i, v := range p.noisy.Pix {
		t.Float32s()[i] = float32(v)
	}
	return t
}

// error is the mean square of what is left of the noise in x.
func (p *noisyPicture) error(x []float32) float64 {
	sum := 0.0
	for i, v := range x {
		d := float64(v) - p.clean.Pix[i]
		sum += d * d
	}
	return sum / float64(len(x))
}

func decibels(mse float64) float64 { return -10 * math.Log10(mse) }
