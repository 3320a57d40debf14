package cli

import (
	"fmt"
	"slices"
	"strings"

	"graft/training/study"
)

// oesSummary is the summary of results.json.
type oesSummary struct {
	executed
	Groups   []oesGroup      `json:"groups"`
	Criteria []oesCriterion  `json:"criteria,omitempty"`
	Broken   []brokenPicture `json:"broken,omitempty"`
	Failed   []failedCell    `json:"failed,omitempty"`
	Notes    []string        `json:"notes,omitempty"`
	Seconds  float64         `json:"seconds"` // of all cells
}

// oesGroup is what can be compared: one level of noise, one sparsity.
type oesGroup struct {
	Noise    float64      `json:"noise"`
	Sparsity float64      `json:"sparsity"`
	Methods  []oesMethod  `json:"methods"`
	Paired   []oesAgainst `json:"paired,omitempty"`
	Dead     []deadLayer  `json:"dead,omitempty"`
	Cut      []cutNetwork `json:"cut,omitempty"`
}

// oesMethod is one method over pictures and seeds.
type oesMethod struct {
	Method        string          `json:"method"`
	Cells         int             `json:"cells"`
	Peak          *study.Estimate `json:"psnr_peak,omitempty"`
	Final         *study.Estimate `json:"psnr_final,omitempty"`
	Fall          *study.Estimate `json:"fall,omitempty"` // from peak to final
	SSIMPeak      *study.Estimate `json:"ssim_peak,omitempty"`
	SSIMFinal     *study.Estimate `json:"ssim_final,omitempty"`
	MaskOnly      *study.Estimate `json:"mask_only_psnr,omitempty"`
	Low           *study.Estimate `json:"low_frequencies,omitempty"` // share of the untrained power below 1/8 of a cycle a sample
	ParamsKept    *study.Estimate `json:"params_kept,omitempty"`
	ParamsCompact *study.Estimate `json:"params_compact,omitempty"`
	BytesCompact  *study.Estimate `json:"bytes_compact,omitempty"`
	BytesSparse   *study.Estimate `json:"bytes_sparse,omitempty"`
	BytesPacked   *study.Estimate `json:"bytes_packed,omitempty"`
	BytesDense    *study.Estimate `json:"bytes_dense,omitempty"`
	LatencyMS     *study.Estimate `json:"latency_ms,omitempty"`
	LatencyDense  *study.Estimate `json:"latency_dense_ms,omitempty"`
	Seconds       *study.Estimate `json:"seconds"`
}

// oesAgainst is what OES has over another method, paired over pictures and seeds.
type oesAgainst struct {
	Method string          `json:"method"`
	Final  *study.Estimate `json:"psnr_final"`
	Peak   *study.Estimate `json:"psnr_peak,omitempty"`
}

type deadLayer struct {
	Method string `json:"method"`
	Layer  string `json:"layer"`
	Cells  int    `json:"cells"`
}

// cutNetwork counts the cells in which a mask lets nothing of z through.
type cutNetwork struct {
	Method string `json:"method"`
	Cells  int    `json:"cells"`
	Of     int    `json:"of"`
}

type oesCriterion struct {
	Name  string  `json:"name"`
	Noise float64 `json:"noise"`
	Value float64 `json:"value"`
	Met   bool    `json:"met"`
}

// oesRecord is a record that has been read.
type oesRecord struct {
	*study.Record
	oesResult
}

func (r *oesRecord) pair() string { return r.Cell.Get("picture") + " " + r.Cell.Get("seed") }

// oesName is the method that the others are held against.
const oesName = "oes"

// summarize gathers the records.
func (s *oesStudy) summarize(done *studied) (*oesSummary, []*oesRecord, error) {
	sum := &oesSummary{executed: s.executed(), Broken: s.broken, Notes: s.notes, Failed: failedCells(done)}
	var all []*oesRecord
	for _, r := range done.Records {
		res, err := resultOf[oesResult](r)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, &oesRecord{r, res})
		sum.Seconds += r.Seconds
	}
	for _, noise := range s.noises {
		for _, sparsity := range s.sparsities {
			sum.Groups = append(sum.Groups, s.group(all, noise, sparsity))
		}
	}
	sum.Criteria = criteria(sum.Groups)
	return sum, all, nil
}

// ofMethod are the records of a method in a group; what depends on no sparsity is in every one.
func ofMethod(all []*oesRecord, method string, noise, sparsity float64) []*oesRecord {
	var out []*oesRecord
	for _, r := range all {
		at := r.Cell.Get("sparsity")
		if r.Cell.Get("method") == method && r.Cell.Float("noise") == noise && (at == "" || r.Cell.Float("sparsity") == sparsity) {
			out = append(out, r)
		}
	}
	return out
}

func (s *oesStudy) group(all []*oesRecord, noise, sparsity float64) oesGroup {
	g := oesGroup{Noise: noise, Sparsity: sparsity}
	ours := ofMethod(all, oesName, noise, sparsity)
	for _, m := range s.methods {
		records := ofMethod(all, m.Name, noise, sparsity)
		if len(records) == 0 {
			continue
		}
		g.Methods = append(g.Methods, gather(m.Name, records))
		g.Dead = append(g.Dead, deadOf(m.Name, records)...)
		cut := cutNetwork{m.Name, 0, len(records)}
		for _, r := range records {
			if r.oneColour() {
				cut.Cells++
			}
		}
		if cut.Cells > 0 {
			g.Cut = append(g.Cut, cut)
		}
		if m.Name != oesName && len(ours) > 0 {
			against := oesAgainst{m.Name, pairedOf(ours, records, (*oesRecord).pair, finalPSNR), pairedOf(ours, records, (*oesRecord).pair, peakPSNR)}
			if against.Final != nil {
				g.Paired = append(g.Paired, against)
			}
		}
	}
	return g
}

func gather(name string, records []*oesRecord) oesMethod {
	mean := func(f func(*oesRecord) *float64) *study.Estimate { return meanOf(records, f) }
	count := func(f func(*oesRecord) float64) *study.Estimate {
		return mean(func(r *oesRecord) *float64 {
			if v := f(r); v != 0 {
				return &v
			}
			return nil
		})
	}
	return oesMethod{
		Method: name, Cells: len(records),
		Peak: mean(peakPSNR), Final: mean(finalPSNR), Fall: mean(fall),
		SSIMPeak: mean(func(r *oesRecord) *float64 { return r.SSIMPeak }), SSIMFinal: mean(func(r *oesRecord) *float64 { return r.SSIMFinal }),
		MaskOnly: mean(func(r *oesRecord) *float64 { return r.MaskOnlyPSNR }), Low: mean(lowShare),
		ParamsKept:    count(func(r *oesRecord) float64 { return float64(r.ParamsKept) }),
		ParamsCompact: count(func(r *oesRecord) float64 { return float64(r.ParamsCompact) }),
		BytesCompact:  count(func(r *oesRecord) float64 { return float64(r.BytesCompact) }),
		BytesSparse:   count(func(r *oesRecord) float64 { return float64(r.BytesSparse) }),
		BytesPacked:   count(func(r *oesRecord) float64 { return float64(r.BytesPacked) }),
		BytesDense:    count(func(r *oesRecord) float64 { return float64(r.BytesDense) }),
		LatencyMS:     count(func(r *oesRecord) float64 { return r.LatencyMS }),
		LatencyDense:  count(func(r *oesRecord) float64 { return r.LatencyDense }),
		Seconds:       count(func(r *oesRecord) float64 { return r.Seconds }),
	}
}

func finalPSNR(r *oesRecord) *float64 { return r.Final }

// peakPSNR is the final one of a method without a curve.
func peakPSNR(r *oesRecord) *float64 {
	if r.Peak != nil {
		return r.Peak
	}
	return r.Final
}

func fall(r *oesRecord) *float64 {
	if r.Peak == nil || r.Final == nil {
		return nil
	}
	f := *r.Peak - *r.Final
	return &f
}

// lowShare is the share of the untrained output's power, summed over rings by their number of frequencies, below an eighth of a
// cycle a sample.
func lowShare(r *oesRecord) *float64 {
	low, all := 0.0, 0.0
	for i, p := range r.Spectrum {
		area := float64(2*i + 1) // of the ring
		if p < leastPower {
			return nil
		}
		if (float64(i)+0.5)/float64(2*len(r.Spectrum)) < 1./8 {
			low += p * area
		}
		all += p * area
	}
	if all == 0 {
		return nil
	}
	share := low / all
	return &share
}

// deadOf counts the layers that masks have left nothing of.
func deadOf(method string, records []*oesRecord) []deadLayer {
	var list []deadLayer
	for _, r := range records {
		for _, layer := range r.Dead {
			i := slices.IndexFunc(list, func(d deadLayer) bool { return d.Layer == layer })
			if i < 0 {
				list = append(list, deadLayer{method, layer, 0})
				i = len(list) - 1
			}
			list[i].Cells++
		}
	}
	return list
}

// What was published of 95 %: OES ends near its peak, the whole network far below its own.
const (
	expectedSparsity = 0.95
	mostOESFall      = 0.3
	leastDenseFall   = 3.0
)

func criteria(groups []oesGroup) []oesCriterion {
	var list []oesCriterion
	for _, g := range groups {
		if g.Sparsity != expectedSparsity {
			continue
		}
		for _, m := range g.Methods {
			switch {
			case m.Fall == nil:
			case m.Method == oesName:
				list = append(list, oesCriterion{"oes ends within 0.3 dB of its peak", g.Noise, m.Fall.Mean, m.Fall.Mean <= mostOESFall})
			case m.Method == "dense":
				list = append(list, oesCriterion{"dense loses 3 dB and more", g.Noise, m.Fall.Mean, m.Fall.Mean >= leastDenseFall})
			}
		}
	}
	return list
}

// Finish makes the report.
func (s *oesStudy) Finish(done *studied) (*studyResult, error) {
	sum, all, err := s.summarize(done)
	if err != nil {
		return nil, err
	}
	out := &studyResult{Summary: sum}
	for _, g := range sum.Groups {
		out.Lines = append(out.Lines, s.deadLines(g)...)
		out.Tables = append(out.Tables, plainTable(methodTable(g)))
	}
	for _, c := range sum.Criteria {
		out.Lines = append(out.Lines, criterionLine(c))
	}
	if out.Files, err = s.reportFiles(sum, all); err != nil {
		return nil, err
	}
	out.Lines = append(out.Lines, fmt.Sprintf("%s: report.html, report.png, results.csv and results.json of %s", s.Out(), counted(len(all), "cell")))
	out.No = s.answer(sum)
	return out, nil
}

// answer is why the answer is no, "" when it is yes.
func (s *oesStudy) answer(sum *oesSummary) string {
	var why []string
	if len(sum.Broken) > 0 {
		names := make([]string, len(sum.Broken))
		for i, b := range sum.Broken {
			names[i] = b.File
		}
		why = append(why, fmt.Sprintf("%s left out: %s", counted(len(names), "picture"), namesShort(names)))
	}
	if n := len(sum.Failed); n > 0 {
		why = append(why, fmt.Sprintf("%s failed, the first with: %s", counted(n, "cell"), sum.Failed[0].Reason))
	}
	for _, c := range sum.Criteria {
		if s.Bool("expect") && !c.Met {
			why = append(why, criterionLine(c))
		}
	}
	return strings.Join(why, "; ")
}

func criterionLine(c oesCriterion) string {
	met := "met"
	if !c.Met {
		met = "missed"
	}
	return fmt.Sprintf("noise %g: %s: %s (%.2f dB)", c.Noise, c.Name, met, c.Value)
}

func (s *oesStudy) deadLines(g oesGroup) []string {
	var lines []string
	for i := 0; i < len(g.Dead); {
		method, names := g.Dead[i].Method, []string(nil)
		for ; i < len(g.Dead) && g.Dead[i].Method == method; i++ {
			names = append(names, g.Dead[i].Layer)
		}
		lines = append(lines, fmt.Sprintf("warning: at sparsity %g %s leaves nothing of %s", g.Sparsity, method, namesShort(names)))
	}
	for _, c := range g.Cut {
		lines = append(lines, fmt.Sprintf("warning: at sparsity %g %s leaves no path from z to the picture in %d of %s", g.Sparsity, c.Method, c.Cells, counted(c.Of, "cell")))
	}
	return lines
}
