package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx"
)

// loadModel reads a model file with the weights it keeps beside it, by the rules of --allow-external.
func (c *call) loadModel(path string) (*onnx.Model, error) {
	m, err := onnx.Load(path, onnx.LoadOptions{AllowExternal: c.Common.AllowExternal})
	if err != nil {
		return nil, refused(path, err)
	}
	if heldBytes(m) > largeWeights && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
	return m, nil
}

// heldBytes is the size of the initializers of the outermost graph.
func heldBytes(m *onnx.Model) (bytes int) {
	if m.Graph == nil {
		return 0
	}
	for _, v := range m.Graph.Initializers() {
		if v.Const != nil {
			bytes += len(v.Const.Data)
		}
	}
	return bytes
}

// largeWeights is the size of weights from which on memory that is not used any more is given back early: copies of weights are
// few large blocks, which cost the garbage collector nothing to pass over, and at its usual pace would take as much as the model.
const largeWeights = 256 << 20

// encodeModel gives the bytes of a model, which path names in errors.
func encodeModel(m *onnx.Model, path string) ([]byte, error) {
	data, err := m.Encode()
	if err != nil {
		return nil, refused(path, fmt.Errorf("encode model: %w", err))
	}
	return data, nil
}

const sectionWeights = "External data"

// Where --external-data puts weights.
const (
	weightsInline = "inline"
	weightsOne    = "one"
	weightsEach   = "each"
	weightsKeep   = "keep"
)

// externalFlags are those of verbs that write a model.
func externalFlags() []cli.Flag {
	return []cli.Flag{
		choice("external-data", "", "where weights go: into the model's file, one file beside it, a file each, or where they are (default: as the input has them)",
			weightsInline, weightsOne, weightsEach, weightsKeep).under(sectionWeights),
		memory("external-data-threshold", "SIZE", "least size of a weight that goes into another file (default 1KiB)").under(sectionWeights),
		memory("external-data-align", "SIZE", "alignment of weights in other files, a power of two (default 4KiB, so that they can be mapped)").under(sectionWeights),
	}
}

// placement is where the flags put the weights of m. asked is false where nothing does, and the model's own files decide.
func (c *call) placement(m *onnx.Model) (o onnx.SaveOptions, asked bool, err error) {
	o.Smallest, o.Alignment = parsed[int64](c.parsed, "external-data-threshold"), parsed[int64](c.parsed, "external-data-align")
	if o.Alignment < 0 || o.Alignment > 1<<30 || o.Alignment&(o.Alignment-1) != 0 {
		return o, false, misuse("--external-data-align %d: wants a power of two, 1GiB at most", o.Alignment)
	}
	switch c.Text("external-data") {
	case weightsInline:
		return o, true, nil
	case weightsOne:
		o.Weights = onnx.OneFile
		return o, true, nil
	case weightsEach:
		o.Weights = onnx.FileEach
		return o, true, nil
	case weightsKeep:
		o.Weights, o.Others = onnx.Stay, onnx.Inline
		if len(m.DataFiles()) > 0 {
			o.Others = onnx.OneFile
		}
		return o, true, nil
	}
	switch {
	case len(m.DataFiles()) > 0:
		o.Weights, o.Others = onnx.Stay, onnx.OneFile
	case c.IsSet("external-data-threshold") || c.IsSet("external-data-align"):
		o.Weights = onnx.OneFile
	}
	return o, false, nil
}

// layOut is m laid out for a path by the flags. Unless asked to, weights stay in files of the input's only when most do: a
// model of changed weights has a file of its own.
func (c *call) layOut(m *onnx.Model, path string) (*onnx.Saving, error) {
	o, asked, err := c.placement(m)
	if err != nil {
		return nil, err
	}
	s, err := m.Layout(path, o)
	if err == nil && !asked && o.Weights == onnx.Stay && s.StayBytes() < written(s) {
		s.Close()
		o.Weights = onnx.OneFile
		s, err = m.Layout(path, o)
	}
	if err != nil {
		return nil, refused(path, err)
	}
	if s.Forced() && asked && o.Weights == onnx.Inline {
		s.Close()
		return nil, &Error{File: path, Reason: "more than 2 GiB do not go into one file: protobuf's lengths end there", Code: exitInput,
			Hint: "--external-data one puts the weights into a file beside the model"}
	}
	return s, nil
}

// written is how many bytes a model takes on the disk beside what stays.
func written(s *onnx.Saving) (n int64) {
	for _, f := range s.Files() {
		n += f.Bytes
	}
	return n
}

// savedModel is what a verb's document says of the files of a model that it has written, or would write.
type savedModel struct {
	DataFiles []savedFile `json:"data_files,omitempty"`      // of its weights
	Kept      []string    `json:"data_files_kept,omitempty"` // of the input, in which weights stay
	bytes     int64       // of all that is written
	hash      string      // SHA-256 of the model's own file, where asked for
}

type savedFile struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

// saveModel writes m to path, its weights where --external-data says: all files whole, or none. Under --dry-run it writes
// nothing. with, which may be nil, writes what goes along before.
func (c *call) saveModel(m *onnx.Model, path string, hashed bool, with func() error) (*savedModel, error) {
	s, err := c.layOut(m, path)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	files := s.Files()
	doc := &savedModel{bytes: written(s), Kept: s.Stay()}
	for _, f := range files[1:] {
		if err := mayWrite(f.Path, c.Common.Force); err != nil {
			return nil, err
		}
		doc.DataFiles = append(doc.DataFiles, savedFile{f.Path, f.Bytes})
	}
	if hashed {
		sum := sha256.New()
		if err := s.WriteModel(sum); err != nil {
			return nil, refused(path, err)
		}
		doc.hash = hex.EncodeToString(sum.Sum(nil))
	}
	if !c.Common.DryRun {
		if with != nil {
			if err := with(); err != nil {
				return nil, err
			}
		}
		if err := s.Write(); err != nil {
			return nil, &Error{File: path, Err: err, Code: exitEnvironment}
		}
	}
	c.sayPlacement(s, files)
	return doc, nil
}

// sayPlacement tells what is not as the command line says by itself.
func (c *call) sayPlacement(s *onnx.Saving, files []onnx.SavedFile) {
	path := files[0].Path
	switch n := len(files) - 1; {
	case n > 0 && s.Forced():
		c.Say("%s: more than 2 GiB do not go into one file: the weights are in %s", path, beside(files[1:]))
	case n > 0 && c.Text("external-data") == "":
		c.Say("%s: weights are in %s", path, beside(files[1:]))
	}
	if kept := s.Stay(); len(kept) > 0 {
		name := strings.Join(kept[:min(len(kept), 3)], ", ")
		if len(kept) > 3 {
			name += fmt.Sprintf(" and %d more", len(kept)-3)
		}
		c.Say("%s: weights stay in %s, which both models need; --external-data one gives it a file of its own", path, name)
	}
}

// beside names data files.
func beside(files []onnx.SavedFile) string {
	if len(files) == 1 {
		return filepath.Base(files[0].Path) + " (" + size(files[0].Bytes) + ")"
	}
	return fmt.Sprintf("%s to %s", filepath.Base(files[0].Path), filepath.Base(files[len(files)-1].Path))
}
