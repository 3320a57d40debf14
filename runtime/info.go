package runtime

// Information is what there is to know of ONNX Runtime on this machine.
type Information struct {
	Library   string   `json:"library"` // path; empty when there is none
	Source    string   `json:"source,omitempty"`
	Version   string   `json:"version"`
	API       int      `json:"api"`
	Providers []string `json:"providers"` // full names, as built into the library
	Devices   []Device `json:"devices"`
	Missing   []string `json:"missing"` // what would not work, each with the reason
}

// Device is hardware that ONNX Runtime sees, with the provider that would use it.
type Device struct {
	Provider string `json:"provider"`
	Kind     string `json:"kind"` // cpu, gpu, npu
	Vendor   string `json:"vendor"`
}

// Info looks for ONNX Runtime and describes it. Nothing is fetched. The description is always given; the error is that of
// FindLibrary, or of a provider asked for that is not there.
func Info(o Options) (*Information, error) {
	info := &Information{Providers: []string{}, Devices: []Device{}, Missing: []string{}}
	err := describe(info, o)
	if err != nil {
		info.Missing = append(info.Missing, err.Error())
	}
	return info, err
}

// setLibrary fills in what a library's check has shown.
func (info *Information) setLibrary(l Library) {
	info.Library, info.Source, info.Version = l.Path, l.Source, l.Version
	if api, ok := apiOf(l.Version); ok {
		info.API = api
	}
}
