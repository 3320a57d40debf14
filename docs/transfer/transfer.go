//go:build ignore

// Transfer measures what masks lose that were learned on another picture, at another noise level or size, or that graft brings
// along. Every run is one of graft denoise in a folder of its own below --work: what is there is not run again.
//
//	go build -o graft . && go run docs/transfer/transfer.go --work DIR testdata/images/chelsea.png testdata/images/coffee.png
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

var (
	graft = flag.String("graft", "./graft", "the program")
	work  = flag.String("work", "", "folder of the runs")
	small = flag.Int("size", 64, "longer side in pixels")
	large = flag.Int("large", 128, "the other size")
	parts = flag.String("parts", "picture,noise,size,default", "what to measure")
	extra = flag.String("flags", "", "further flags of every run, separated by spaces")
)

// result is what of summary.json counts.
type result struct {
	Final   float64 `json:"sparse_psnr_final"`
	Best    float64 `json:"sparse_psnr_best"`
	Noisy   float64 `json:"noisy_psnr"`
	Seconds float64 `json:"seconds"`
}

func main() {
	flag.Parse()
	if *work == "" || flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: transfer --work DIR IMAGE IMAGE ...")
		os.Exit(2)
	}
	if err := tables(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tables(images []string) error {
	for part := range strings.SplitSeq(*parts, ",") {
		table, ok := map[string]func([]string) error{"picture": byPicture, "noise": byNoise, "size": bySize, "default": byDefault}[part]
		if !ok {
			return fmt.Errorf("no part %q", part)
		}
		if err := table(images); err != nil {
			return err
		}
	}
	return nil
}

func short(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }

// folder is that of a run: of a picture, with a mask of another run or its own ("").
func folder(image, mask, noise string, size int) string {
	name := fmt.Sprintf("%s-%s-%d", short(image), noise, size)
	if mask != "" {
		name += "-by-" + filepath.Base(mask)
	}
	return filepath.Join(*work, name)
}

// run gives the result of a run; mask is the folder of the run that the mask is from, "default", or "" for the picture's own.
func run(image, mask, noise string, size int) (result, error) {
	out := folder(image, mask, noise, size)
	if _, err := os.Stat(filepath.Join(out, "summary.json")); err != nil {
		args := append([]string{"denoise", image, "--noise", noise, "--size", fmt.Sprint(size), "--out", out, "--quiet", "--resume"}, strings.Fields(*extra)...)
		switch mask {
		case "":
		case "default":
			args = append(args, "--mask", "default")
		default:
			args = append(args, "--mask", filepath.Join(mask, "mask.safetensors"))
		}
		cmd := exec.Command(*graft, args...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return result{}, fmt.Errorf("%s: %w", out, err)
		}
	}
	data, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		return result{}, err
	}
	var r result
	return r, json.Unmarshal(data, &r)
}

// mean of the numbers, and its standard error.
func mean(x []float64) string {
	sum, squares := 0.0, 0.0
	for _, v := range x {
		sum += v
	}
	m := sum / float64(len(x))
	for _, v := range x {
		squares += (v - m) * (v - m)
	}
	if len(x) < 2 {
		return fmt.Sprintf("%+.2f", m)
	}
	return fmt.Sprintf("%+.2f ± %.2f", m, math.Sqrt(squares/float64(len(x)-1)/float64(len(x))))
}

// byPicture: rows are the pictures that masks are from, columns those that they are used on.
func byPicture(images []string) error {
	fmt.Printf("\nFinal PSNR at %d pixels and noise 0.1\n\n| mask of |", *small)
	for _, b := range images {
		fmt.Printf(" %s |", short(b))
	}
	fmt.Printf(" beside the own mask |\n|---|%s---|\n", strings.Repeat("---|", len(images)))
	var all []float64
	for _, a := range images {
		var lost []float64
		fmt.Printf("| %s |", short(a))
		if _, err := run(a, "", "0.1", *small); err != nil {
			return err
		}
		for _, b := range images {
			own, err := run(b, "", "0.1", *small)
			if err != nil {
				return err
			}
			if a == b {
				fmt.Printf(" *%.2f* |", own.Final)
				continue
			}
			r, err := run(b, folder(a, "", "0.1", *small), "0.1", *small)
			if err != nil {
				return err
			}
			fmt.Printf(" %.2f |", r.Final)
			lost = append(lost, r.Final-own.Final)
		}
		all = append(all, lost...)
		fmt.Printf(" %s |\n", mean(lost))
	}
	fmt.Printf("\nOver all pairs: %s dB\n", mean(all))
	return nil
}

// across compares each picture under one setting with its own mask and with one that it learned under another.
func across(images []string, title string, fromNoise, noise string, fromSize, size int) error {
	var lost []float64
	for _, image := range images {
		own, err := run(image, "", noise, size)
		if err != nil {
			return err
		}
		if _, err := run(image, "", fromNoise, fromSize); err != nil {
			return err
		}
		r, err := run(image, folder(image, "", fromNoise, fromSize), noise, size)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %s | %.2f | %.2f | %+.2f |\n", title, short(image), own.Final, r.Final, r.Final-own.Final)
		lost = append(lost, r.Final-own.Final)
	}
	fmt.Printf("| %s | mean | | | %s |\n", title, mean(lost))
	return nil
}

const acrossHead = "\n| mask learned at, used at | picture | own mask | that mask | difference |\n|---|---|---|---|---|\n"

func byNoise(images []string) error {
	fmt.Print(acrossHead)
	if err := across(images, "noise 0.1, noise 0.05", "0.1", "0.05", *small, *small); err != nil {
		return err
	}
	return across(images, "noise 0.05, noise 0.1", "0.05", "0.1", *small, *small)
}

func bySize(images []string) error {
	fmt.Print(acrossHead)
	return across(images, fmt.Sprintf("%d pixels, %d pixels", *small, *large), "0.1", "0.1", *small, *large)
}

func byDefault(images []string) error {
	fmt.Print("\n| picture | size | noisy | own mask | default mask | difference | seconds | with the default | faster |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, size := range slices.Compact([]int{*small, *large}) {
		var lost []float64
		for _, image := range images {
			own, err := run(image, "", "0.1", size)
			if err != nil {
				return err
			}
			r, err := run(image, "default", "0.1", size)
			if err != nil {
				return err
			}
			fmt.Printf("| %s | %d | %.2f | %.2f | %.2f | %+.2f | %.0f | %.0f | %.2f |\n", short(image), size, own.Noisy, own.Final, r.Final, r.Final-own.Final, own.Seconds, r.Seconds, own.Seconds/r.Seconds)
			lost = append(lost, r.Final-own.Final)
		}
		fmt.Printf("| mean | %d | | | | %s | | | |\n", size, mean(lost))
	}
	return nil
}
