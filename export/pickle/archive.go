package pickle

import (
	"bytes"
	"strings"

	"graft/onnx/limits"
	"graft/onnx/strictzip"
)

// archive reads the zip form: NAME/data.pkl and NAME/data/KEY for each storage.
func (s *session) archive(src readerAt, size int64) (any, error) {
	a, err := strictzip.Open(src, size)
	if err != nil {
		return nil, err
	}
	folder := ""
	for _, e := range a.Entries() {
		name, ok := strings.CutSuffix(e.Name, "/data.pkl")
		if !ok || strings.Contains(name, "/") {
			continue
		}
		if folder != "" {
			return nil, limits.Refuse("zip", "two pickles, %s and %s", limits.Name(folder+"/data.pkl"), limits.Name(e.Name))
		}
		folder = name
	}
	if folder == "" {
		return nil, limits.Refuse("zip", "no entry NAME/data.pkl: no archive of torch.save")
	}
	for _, e := range a.Entries() {
		if e.Name == folder+"/constants.pkl" || strings.HasPrefix(e.Name, folder+"/code/") {
			return nil, limits.Refuse("zip", "a TorchScript archive (it has %s), which holds code", limits.Name(e.Name)).
				WithHint("load it in PyTorch with torch.jit.load and save model.state_dict(), or export it to ONNX there")
		}
	}
	if e, ok := a.Entry(folder + "/byteorder"); ok {
		if e.Size > 16 {
			return nil, limits.Refuse("zip", "byteorder of %d bytes", e.Size)
		}
		order, err := a.Bytes(e.Name)
		if err != nil {
			return nil, err
		}
		if string(order) != "little" {
			return nil, limits.Refuse("zip", "byteorder %s, only little is read", limits.Name(string(order)))
		}
	}
	e, _ := a.Entry(folder + "/data.pkl")
	if e.Size > maxPickle {
		return nil, limits.Refuse("zip entry "+limits.Name(e.Name), "%d bytes, at most %d", e.Size, maxPickle)
	}
	b, err := a.Bytes(e.Name)
	if err != nil {
		return nil, err
	}
	storages := make(map[string]*storage)
	m := &machine{session: s, r: limits.NewReader(bytes.NewReader(b), e.Size), where: "pickle " + limits.Name(e.Name)}
	m.storageOf = func(m *machine, kind storageKind, key string, elements int64) (*storage, error) {
		made, err := m.newStorage(kind, key, elements)
		if err != nil {
			return nil, err
		}
		if known, ok := storages[key]; ok {
			if known.bytes != made.bytes {
				return nil, m.refuse("storage %s in two sizes", limits.Name(key))
			}
			made.same = known
			return made, nil
		}
		if key == "" || strings.Trim(key, "0123456789") != "" {
			return nil, m.refuse("storage key %s is no number", limits.Name(key))
		}
		e, ok := a.Entry(folder + "/data/" + key)
		if !ok {
			return nil, m.refuse("no entry for storage %s", limits.Name(key))
		}
		if e.Size != made.bytes {
			return nil, m.refuse("storage %s takes %d bytes, its entry has %d", limits.Name(key), made.bytes, e.Size)
		}
		made.read = func(dst []byte) error { return a.ReadInto(e.Name, dst) }
		storages[key] = made
		return made, nil
	}
	root, err := m.run()
	if err == nil && m.r.Remaining() != 0 {
		err = limits.Refuse(m.where, "%d bytes after STOP", m.r.Remaining())
	}
	return root, err
}
