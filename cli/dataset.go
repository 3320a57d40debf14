package cli

import (
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/training"
	"graft/training/dataset"
)

// dataReader reads --data for the inputs of a contract.
type dataReader struct {
	*call
	contract *training.Contract
}

// dataFlags steer the readers.
func dataFlags() []cli.Flag {
	return []cli.Flag{
		text("label", "COLUMN", "column of a CSV that holds the answers, by name or number from 0; the last without it").under("Data"),
		list("mean", "X,...", "taken from pictures and numbers, one for all or one for each channel").under("Data"),
		list("std", "X,...", "what they are divided by then").under("Data"),
		integer("length", "N", 1, 1<<20, 0, "tokens of a sample").under("Data"),
		text("vocab", "FILE", "words of a text, one a line, the first being number 0; made of the text without it").under("Data"),
		integer("words", "N", 4, 1<<20, 8192, "words of a vocabulary that is made, the most frequent ones").under("Data"),
	}
}

// readConfig reads the flags that steer the readers.
func (r *dataReader) readConfig() (dataset.ReadConfig, error) {
	c := dataset.ReadConfig{Label: r.Text("label"), Length: int64(r.Int("length")), Words: int64(r.Int("words"))}
	if path := r.Text("vocab"); path != "" {
		words, err := dataset.ReadVocabulary(path)
		if err != nil {
			return c, refused(path, err)
		}
		c.Vocabulary = words
	}
	for flag, to := range map[string]*[]float64{"mean": &c.Normalize.Mean, "std": &c.Normalize.Std} {
		for _, s := range r.List(flag) {
			v, err := parseFraction(s)
			if err != nil {
				return c, misuse("--%s %s: %v", flag, quote(s), err)
			}
			*to = append(*to, v)
		}
	}
	if err := (dataset.Normalization{Std: c.Normalize.Std}).Check(int64(len(c.Normalize.Std))); err != nil {
		return c, misuse("--std: %v", err)
	}
	if len(r.contract.Inputs) != 1 {
		if !c.Normalize.IsZero() {
			return c, misuse("--mean and --std are for models with one input, this one has %d", len(r.contract.Inputs))
		}
		for _, in := range r.contract.Inputs {
			if shape := sizes(in.Shape); c.Length == 0 && len(shape) == 2 && in.DType == onnx.Int64.String() {
				c.Length = shape[1]
			}
		}
		return c, nil
	}
	shape := sizes(r.contract.Inputs[0].Shape)
	switch len(shape) {
	case 3:
		c.Image = []int64{1, shape[1], shape[2]}
	case 4:
		c.Image = shape[1:]
	}
	if c.Length == 0 && len(shape) == 2 && r.contract.Inputs[0].DType == onnx.Int64.String() {
		c.Length = shape[1]
	}
	return c, nil
}

// sizes are the dimensions of a contract's port, as it is made or as it is read, 0 for free ones.
func sizes(shape []any) []int64 {
	out := make([]int64, len(shape))
	for i, d := range shape {
		switch n := d.(type) {
		case float64:
			out[i] = int64(n)
		case int64:
			out[i] = n
		}
	}
	return out
}

// sampleSet tells samples from tensors that every step gets whole.
type sampleSet struct {
	file    string
	rows    map[string]dataset.Rows
	whole   map[string]*onnx.Tensor
	fixed   int64 // the batch that the model asks for; 0: any
	classes []string

	vocabulary []string // the words of a text by their numbers
}

// size is the number of samples of a batch.
func (d *sampleSet) size(wanted int64) int64 {
	switch {
	case d.fixed > 0:
		return d.fixed
	case wanted > 0:
		return wanted
	}
	return 32
}

func (d *sampleSet) batches(c dataset.BatchConfig) (*dataset.Batches, error) {
	b, err := dataset.NewBatches(d.rows, d.whole, c)
	if err != nil {
		return nil, refused(d.file, limits.InFile(d.file, err))
	}
	return b, nil
}

// split draws a part of the samples for evaluation; d keeps the rest.
func (d *sampleSet) split(part float64, seed uint64) (*sampleSet, error) {
	n, err := d.count()
	if err != nil {
		return nil, err
	}
	rest, drawn, err := dataset.Split(n, part, seed)
	if err != nil {
		return nil, err
	}
	val := &sampleSet{file: d.file, rows: map[string]dataset.Rows{}, whole: d.whole, fixed: d.fixed, classes: d.classes}
	for name, rows := range d.rows {
		val.rows[name], d.rows[name] = dataset.Part(rows, drawn), dataset.Part(rows, rest)
	}
	return val, nil
}

// readSet reads the files and gives every input of the model its array.
func (r *dataReader) readSet(paths []string, config dataset.ReadConfig) (*sampleSet, error) {
	d := &sampleSet{file: paths[0], rows: map[string]dataset.Rows{}, whole: map[string]*onnx.Tensor{}}
	var columns []dataset.Column
	files := map[int]string{}
	for _, path := range paths {
		t, err := dataset.ReadTable(path, config)
		if err != nil {
			return nil, refused(path, err)
		}
		for _, note := range t.Notes {
			r.Say("%s: %s", path, note)
		}
		for range t.Columns {
			files[len(files)] = path
		}
		columns = append(columns, t.Columns...)
		if t.Classes != nil {
			d.classes = t.Classes
		}
		if t.Vocabulary != nil {
			d.vocabulary, config.Vocabulary = t.Vocabulary, t.Vocabulary
		}
	}
	if len(d.classes) > 0 && config.Classes == nil {
		r.Detail("classes: %s", limits.Names(d.classes, 20))
	}
	taken := map[int]bool{}
	ports := slices.Clone(r.contract.Inputs)
	if r.contract.Target.Name != "" { // a loss may compare with nothing
		ports = append(ports, r.contract.Target)
	}
	for _, p := range ports {
		i := chooseColumn(columns, taken, p, r.contract)
		if i < 0 {
			return nil, refused(d.file, limits.InFile(d.file, limits.Refuse("", "has no array %s for the input %s %s %v; it has %s",
				limits.Name(p.Name), limits.Name(p.Name), p.DType, p.Shape, columnNames(columns))))
		}
		taken[i] = true
		c := columns[i]
		err := d.add(p, c, config.Normalize)
		if err == nil && p.Name == training.InputLabels {
			err = checkLabels(r.contract, d.rows[p.Name], d.whole[p.Name])
		}
		if err != nil {
			return nil, refused(files[i], limits.InFile(files[i], err))
		}
	}
	return d, nil
}

// answers are names by which the target goes too.
var answers = []string{"labels", "label", "target", "targets", "y"}

// chooseColumn is the array for an input: the one of its name; for the target the one that holds answers; for the only input
// the one that holds samples, or the one that is left. -1: none.
func chooseColumn(columns []dataset.Column, taken map[int]bool, p training.ContractPort, c *training.Contract) int {
	find := func(is func(dataset.Column) bool) int {
		for i, column := range columns {
			if !taken[i] && is(column) {
				return i
			}
		}
		return -1
	}
	if i := find(func(o dataset.Column) bool { return o.Name == p.Name }); i >= 0 {
		return i
	}
	isAnswer := func(o dataset.Column) bool {
		return o.Kind == dataset.Answers || o.Kind == dataset.Named && slices.Contains(answers, o.Name)
	}
	if p.Name == c.Target.Name {
		return find(isAnswer)
	}
	if len(c.Inputs) > 1 {
		return -1
	}
	if i := find(func(o dataset.Column) bool { return o.Kind == dataset.Samples }); i >= 0 {
		return i
	}
	left := 0
	for i, o := range columns {
		if !taken[i] && !isAnswer(o) && o.Name != c.Target.Name {
			left++
		}
	}
	if left != 1 {
		return -1
	}
	return find(func(o dataset.Column) bool { return !isAnswer(o) && o.Name != c.Target.Name })
}

func columnNames(columns []dataset.Column) string {
	var names []string
	for _, c := range columns {
		if c.Name != "" {
			names = append(names, c.Name)
		}
	}
	if names == nil {
		return strconv.Itoa(len(columns)) + " arrays without names"
	}
	return limits.Names(names, 8)
}

// columnField names a column in an error.
func columnField(c dataset.Column) string {
	switch {
	case c.Name != "":
		return "array " + limits.Name(c.Name)
	case c.Kind == dataset.Answers:
		return "answers"
	}
	return "samples"
}

// add takes the array of one input.
func (d *sampleSet) add(p training.ContractPort, c dataset.Column, n dataset.Normalization) error {
	field := columnField(c)
	dtype, sample := c.Rows.Sample()
	want := sizes(p.Shape)
	t := dataset.Tensor(c.Rows)
	shown := onnx.TensorType{DType: dtype, Shape: onnx.NewShape(append([]int64{c.Rows.Len()}, sample...)...)}
	if t == nil && c.Rows.Len() == 1 && len(want) == 0 {
		return limits.Refuse(field, "is %v, the model wants a scalar: not read", shown)
	}
	mismatch := limits.Refuse(field, "is %v, the model's input %s wants %s %v", shown, limits.Name(p.Name), p.DType, p.Shape)
	if len(want) == 0 {
		return mismatch
	}
	dims, ok := fits(sample, want[1:])
	if !ok {
		return mismatch
	}
	rows, err := dataset.Reshaped(c.Rows, dims)
	if err != nil {
		return mismatch
	}
	wanted, _ := onnx.ParseDataType(p.DType)
	if t = dataset.Tensor(rows); t != nil {
		if t, err = converted(t, wanted); err == nil && c.Kind == dataset.Named && wanted == onnx.Float && !slices.Contains([]string{training.InputTarget, training.InputLabels}, p.Name) {
			err = n.Normalize(t)
		}
		if err != nil {
			return limits.Refuse(field, "%v", err)
		}
		if rows, err = dataset.TensorRows(t); err != nil {
			return err
		}
	} else if dtype != wanted {
		return mismatch
	}
	batch := want[0]
	switch {
	case batch > 0 && batch == rows.Len() && t != nil && (d.fixed == 0 || d.fixed == batch):
		d.whole[p.Name] = t
		return nil
	case batch > 0 && (batch > rows.Len() || d.fixed > 0 && d.fixed != batch):
		return mismatch
	case batch > 0:
		d.fixed = batch
	}
	d.rows[p.Name] = rows
	return nil
}

// fits gives the dims of a sample that the model takes: its own where they agree, otherwise the model's where the sample or
// the model's is flat, or where only axes of one element differ.
func fits(sample, want []int64) ([]int64, bool) {
	same := len(sample) == len(want)
	for i := range want {
		same = same && (want[i] == 0 || want[i] == sample[i])
	}
	if same {
		return sample, true
	}
	if slices.Contains(want, 0) {
		return nil, false
	}
	a, err := onnx.ElementCount(sample)
	if err != nil {
		return nil, false
	}
	if b, err := onnx.ElementCount(want); err != nil || a != b {
		return nil, false
	}
	squeezed := func(dims []int64) []int64 {
		return slices.DeleteFunc(slices.Clone(dims), func(d int64) bool { return d == 1 })
	}
	return want, len(sample) <= 1 || len(want) <= 1 || slices.Equal(squeezed(sample), squeezed(want))
}

// checkLabels refuses classes that the model does not have: their loss would be zero whatever the model says. The
// one that the loss leaves out is taken.
func checkLabels(contract *training.Contract, rows dataset.Rows, whole *onnx.Tensor) error {
	if rows != nil {
		whole = dataset.Tensor(rows)
	}
	classes := outputClasses(contract)
	if whole == nil || classes == 0 {
		return nil
	}
	ignored, some := contract.LossSettings["ignore-index"]
	for i, l := range whole.Int64s() {
		if !(some && l == int64(ignored)) && (l < 0 || l >= classes) {
			return limits.Refuse("array "+limits.Name(training.InputLabels), "element %d is class %d, the model has classes 0 to %d", i, l, classes-1)
		}
	}
	return nil
}
