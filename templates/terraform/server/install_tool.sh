# Install the tool into an environment, unless it has it already: so that the server also starts
# when the tool's source or the package index cannot be reached.
set -eu
tool=$1 environment=$2
cmp --silent "$tool" "$environment/tool.txt" && exit 0
python3 -m venv --clear "$environment"
"$environment/bin/pip" install --quiet --requirement "$tool"
cp "$tool" "$environment/tool.txt"
