package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"graft/cli/outdir"
	"graft/cli/report"
	"graft/export"
	"graft/training/dataset"
	"graft/training/metric"
)

// write measures and fills the folder.
func (l *learning) write(dir *outdir.Dir, picture *dataset.Image, doc *learned, task denoiseTask) error {
	p := l.photo
	page := report.Denoise{Title: p.name, Steps: []string{fmt.Sprintf("Denoised by %s in %.2f s.", l.path, doc.RunSeconds)}}
	page.Summary = fmt.Sprintf("Denoised by a learned model, %d x %d pixels.", doc.Width, doc.Height)
	if c := p.clean; c != nil {
		doc.NoisyPSNR, doc.LearnedPSNR = psnr(metric.PSNR(p.noisy.Pix, c.Pix)), psnr(metric.PSNR(picture.Pix, c.Pix))
		doc.NoisySSIM, doc.LearnedSSIM = psnr(metric.SSIM(p.noisy.Pix, c.Pix, c.Height, c.Width)), psnr(metric.SSIM(picture.Pix, c.Pix, c.Height, c.Width))
		if doc.NoisyPSNR != nil && doc.LearnedPSNR != nil {
			page.Summary = fmt.Sprintf("%.2f dB became %.2f dB by a learned model.", *doc.NoisyPSNR, *doc.LearnedPSNR)
		}
	}
	doc.Seconds = math.Round(time.Since(l.started).Seconds()*100) / 100
	files := map[string][]byte{}
	x, y := p.noisy.Busiest(cropSide, cropSide)
	for _, one := range []struct {
		caption string
		image   *dataset.Image
	}{{task.adjective(), p.noisy}, {"denoised", picture}, {"clean", p.clean}} {
		if one.image == nil {
			continue
		}
		var b bytes.Buffer
		if err := dataset.WritePNG(&b, one.image); err != nil {
			return err
		}
		if one.image == picture {
			files["denoised.png"] = b.Bytes()
		}
		page.Images = append(page.Images, report.Picture{Caption: one.caption, PNG: b.Bytes()})
		if crop := enlarge(b.Bytes(), x, y); crop != nil {
			page.Crops = append(page.Crops, report.Picture{Caption: one.caption, PNG: crop})
		}
	}
	var html bytes.Buffer
	if err := page.Write(&html); err != nil {
		return err
	}
	summary, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	files["report.html"], files["summary.json"] = html.Bytes(), append(summary, '\n')
	manifest := export.NewManifest(readVersion().Version)
	manifest.Settings = map[string]any{"task": task.describe(), "method": methodLearned, "model": l.path, "seed": l.Common.Seed}
	for name, data := range files {
		if err := dir.WriteFile(name, data); err != nil {
			return folderError(l.Out(), err)
		}
		manifest.Add(name, data)
	}
	if err := writeManifest(dir, manifest); err != nil {
		return folderError(l.Out(), err)
	}
	if err := dir.Commit(); err != nil {
		return folderError(l.Out(), err)
	}
	return nil
}

// tell prints the result for people.
func (l *learning) tell(doc *learned) {
	if doc.NoisyPSNR != nil && doc.LearnedPSNR != nil {
		t := table{Head: []string{"", "dB", "SSIM"}}
		t.Add("noisy", fmt.Sprintf("%.2f", *doc.NoisyPSNR), fmt.Sprintf("%.3f", *doc.NoisySSIM))
		t.Add("learned", fmt.Sprintf("%.2f", *doc.LearnedPSNR), fmt.Sprintf("%.3f", *doc.LearnedSSIM))
		l.Table(t)
	}
	l.Print("%s: denoised.png and report.html, the model in %.2f s%s", l.Out(), doc.RunSeconds, doc.on())
}
