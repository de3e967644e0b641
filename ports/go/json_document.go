// From bytes to a JSON value, or to the reasons why not. Stricter than encoding/json, which takes documents that nobody means:
// with a name that stands twice, or with bytes that are not UTF-8.

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	// A routing document has four levels. One that is nested without end would exhaust the memory.
	maxDepth = 16
	// The longest list of a routing document has 16 elements.
	maxListLength = 1_000
)

// Object is a JSON object: its members, and their names in the order in which they were written.
type Object struct {
	Names   []string
	Members map[string]any
}

// jsonReader reads one document; a value is nil, bool, json.Number, string, []any or *Object.
type jsonReader struct {
	decoder *json.Decoder
	faults  *Faults
	path    []string
}

// #region read-json

// readJSON reads UTF-8 JSON, with or without a byte order mark. Its cost is a small multiple of `document`.
func readJSON(document []byte) (value any, faults []string) {
	document = bytes.TrimPrefix(document, []byte("\xef\xbb\xbf"))
	r := &jsonReader{decoder: json.NewDecoder(bytes.NewReader(document)), faults: &Faults{}}
	r.decoder.UseNumber()
	var err error
	if !utf8.Valid(document) {
		// encoding/json would put another character in its place, and a routing key would become another tenant's.
		err = fmt.Errorf("not JSON: bytes that are not UTF-8")
	} else if value, err = r.read(); err == nil {
		if _, end := r.decoder.Token(); end != io.EOF {
			err = fmt.Errorf("not JSON: something stands behind the document")
		}
	}
	if err != nil {
		r.faults.Add(nil, "%s", err)
	}
	return value, r.faults.List()
}

func (r *jsonReader) read() (any, error) {
	token, err := r.decoder.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	delimiter, ok := token.(json.Delim)
	switch {
	case !ok:
		return token, nil
	case len(r.path) >= maxDepth:
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	case delimiter == '{':
		return r.readObject()
	}
	return r.readList()
}

func (r *jsonReader) readObject() (any, error) {
	object := &Object{Members: map[string]any{}}
	for r.decoder.More() {
		token, err := r.decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		name := token.(string)
		r.path = append(r.path, name)
		value, err := r.read()
		if err != nil {
			return nil, err
		}
		if _, ok := object.Members[name]; ok {
			r.faults.Add(r.path, "is there more than once; JSON would keep the last one only")
		} else {
			object.Names = append(object.Names, name)
		}
		object.Members[name] = value
		r.path = r.path[:len(r.path)-1]
	}
	return object, r.close()
}

func (r *jsonReader) readList() (any, error) {
	list := []any{}
	for r.decoder.More() {
		if len(list) == maxListLength {
			return nil, fmt.Errorf("a list of more than %d elements", maxListLength)
		}
		r.path = append(r.path, fmt.Sprint(len(list)))
		value, err := r.read()
		if err != nil {
			return nil, err
		}
		list = append(list, value)
		r.path = r.path[:len(r.path)-1]
	}
	return list, r.close()
}

// close takes the delimiter that ends an object or a list.
func (r *jsonReader) close() error {
	if _, err := r.decoder.Token(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}

// #endregion read-json
